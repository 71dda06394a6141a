# SPDX-License-Identifier: Apache-2.0
"""The page of `cimple demo` in headless Chromium: drawn on, changed, and asked what it shows."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cimple.host import cli
from cimple.host.demo_picture import PROGRAMS, browser, draw, serving
from cimple.host.demo_server import DemoServer
from cimple.host.devices.device import DeviceError
from tests.host.handwriting import written

pytest.importorskip("selenium", reason="selenium is not installed (the extra 'dev')")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

MISSING = [program for program in PROGRAMS if shutil.which(program) is None]

pytestmark = [
    pytest.mark.skipif(
        bool(MISSING), reason=f"not found: {', '.join(MISSING)} (requirements/debian.txt)"
    ),
    pytest.mark.xdist_group("chromium"),
]


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[DemoServer]:
    with serving(root / "examples" / "digits" / "digits.onnx", "npu_digits") as made:
        yield made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as driver:
        yield driver


@pytest.fixture
def page(chromium: Any, server: DemoServer) -> Any:
    """The page, fresh."""
    chromium.get(server.url)
    return chromium


def on_the_pad(digit: int, style: int = 0) -> list[list[tuple[float, float]]]:
    """A digit in the middle of the pad."""
    strokes = written(digit, style, 0)
    return [[(0.27 + 0.46 * x, 0.12 + 0.46 * y) for x, y in stroke] for stroke in strokes]


def text(page: Any, name: str) -> str:
    return page.find_element(By.ID, name).text


def shows(page: Any, name: str, pattern: str, seconds: float = 30) -> None:
    """Wait until an element's text matches."""

    def found(_: Any) -> bool:
        return re.fullmatch(pattern, text(page, name), re.DOTALL) is not None

    said = f"{name}: {text(page, name)!r} never became {pattern!r}; {text(page, 'note')}"
    WebDriverWait(page, seconds).until(found, said)


def test_a_digit_is_drawn_and_read(page: Any) -> None:
    assert text(page, "prediction") == "?"
    draw(page, on_the_pad(7))
    shows(page, "prediction", "7")
    assert text(page, "by").startswith("computed by golden\nanswered in ")
    assert text(page, "counted") == ", by the cycle model"
    best = page.find_elements(By.CSS_SELECTOR, "#bars .best b")
    assert [each.text for each in best] == ["7"]
    rows = [row.text.split() for row in page.find_elements(By.CSS_SELECTOR, "#table tr")]
    assert [row[0] for row in rows] == ["conv1", "conv2", "maxpool1", "conv3", "gemm1", "start"]
    cycles = [int(row[-3].replace(",", "")) for row in rows]
    assert f"{sum(cycles):,}" == text(page, "cycles")
    assert page.get_log("browser") == []


def test_times_follow_the_clock(page: Any) -> None:
    draw(page, on_the_pad(1))
    shows(page, "prediction", "1")
    cycles = int(text(page, "cycles").replace(",", ""))
    assert text(page, "total") == f"{cycles / 25:#.3g} µs"
    clock = page.find_element(By.ID, "clock")
    clock.clear()
    clock.send_keys("0.17")
    shows(page, "total", re.escape(f"{cycles / 170:#.3g} ms"))
    clock.send_keys(Keys.CONTROL, "a", Keys.BACKSPACE)
    shows(page, "total", "–")


def test_another_stroke_undo_and_clear(page: Any) -> None:
    """A one becomes a four, and a one again; then nothing."""
    down, rest = [(0.62, 0.15), (0.62, 0.85)], [(0.55, 0.15), (0.3, 0.6), (0.75, 0.6)]
    draw(page, [down])
    shows(page, "prediction", "1")
    draw(page, [rest])
    shows(page, "prediction", "4")
    page.find_element(By.ID, "pad").send_keys(Keys.CONTROL, "z")
    shows(page, "prediction", "1")
    page.find_element(By.ID, "clear").click()
    shows(page, "prediction", r"\?")
    assert not page.find_element(By.ID, "undo").is_enabled()
    draw(page, on_the_pad(0))
    shows(page, "prediction", "0")
    page.find_element(By.TAG_NAME, "body").send_keys(Keys.ESCAPE)
    shows(page, "prediction", r"\?")
    assert page.find_element(By.ID, "hint").is_displayed()


@pytest.mark.parametrize("kind", ["touch", "pen"])
def test_fingers_and_pens_draw(kind: str, page: Any) -> None:
    draw(page, on_the_pad(2), kind)
    shows(page, "prediction", "2")


def choose(page: Any, device: str) -> None:
    page.find_element(By.XPATH, f"//label[input[@value='{device}']]").click()


def test_another_device_computes_it(page: Any, root: Path, tmp_path: Path, capsys: Any) -> None:
    """The same scores from the generated Verilog, and the cycles that `cimple run` tells."""
    draw(page, on_the_pad(5))
    shows(page, "prediction", "5")
    scores = text(page, "bars")
    pixels = page.execute_script("return reading.pixels")
    choose(page, "verilator")
    shows(page, "by", "computed by verilator\n.*", 600)
    assert (text(page, "prediction"), text(page, "bars")) == ("5", scores)
    assert text(page, "counted") == ", by the NPU's counters"
    np.save(tmp_path / "x.npy", np.array(pixels, np.float32).reshape(1, 1, 8, 8) / 16)
    network, program = root / "examples" / "digits" / "digits.onnx", tmp_path / "digits.cim"
    for words in (
        ("compile", network, "--npu", "npu_digits", "-o", program),
        ("run", program, "--on", "verilator", "--input", tmp_path / "x.npy"),
    ):
        with pytest.raises(SystemExit) as done:
            cli.main([str(word) for word in words])
        assert done.value.code == 0
    said = f"cycles an image: {text(page, 'cycles')}, by the NPU's counters"
    assert said in capsys.readouterr().out


def test_errors_are_shown_and_go_away(
    page: Any, server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise DeviceError("golden: the cable is out")

    with monkeypatch.context() as patch:
        patch.setattr(server.classifier, "classify", lost)
        draw(page, on_the_pad(3))
        shows(page, "note", "golden: the cable is out")
        assert text(page, "prediction") == "?"
    page.find_element(By.ID, "undo").click()
    shows(page, "note", "")
    draw(page, on_the_pad(3))
    shows(page, "prediction", "3")


def test_a_server_that_is_gone(
    root: Path, chromium: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Chromium has a connection in reserve, which ends so soon.
    monkeypatch.setattr("cimple.host.demo_server._Handler.timeout", 0.2)
    with serving(root / "examples" / "digits" / "digits.onnx", "npu_digits") as made:
        chromium.get(made.url)
    time.sleep(0.5)
    draw(chromium, on_the_pad(3))
    shows(chromium, "note", "The server does not answer; start `cimple demo` again.")


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_nothing_is_cut_off(width: int, page: Any) -> None:
    """From a telephone's width on."""
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500,
    })
    try:
        draw(page, on_the_pad(8))
        shows(page, "prediction", "8")
        inside = "return document.documentElement.scrollWidth <= innerWidth"
        assert page.execute_script(inside)
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
