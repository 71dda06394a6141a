# SPDX-License-Identifier: Apache-2.0
"""The page of `cimple demo` in a real browser: for its tests, and for its picture in the manual.

    python -P -m cimple.host.demo_picture docs/guides/demo.png

Needs Chromium with its driver, and selenium.
"""

import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from ..compiler.compile import compile_network
from ..hdl.errors import CimpleError
from .assemble import assemble
from .commands.compile import load_npu
from .commands.demo import demo_page
from .demo import Classifier
from .demo_server import DemoServer

__all__ = ["PROGRAMS", "browser", "draw", "serving"]

#: What must be on the PATH.
PROGRAMS = ("chromium", "chromedriver")

#: Pixels across; as high as the page is.
_WIDTH = 1120
#: Chromium speaks to nobody, and leaves nothing behind.
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--force-color-profile=srgb", f"--window-size={_WIDTH},1000",
)
#: A three, in shares of the pad.
_THREE = [
    (0.31, 0.26), (0.36, 0.19), (0.44, 0.15), (0.53, 0.14), (0.62, 0.17), (0.68, 0.24),
    (0.67, 0.33), (0.61, 0.41), (0.52, 0.46), (0.46, 0.47), (0.55, 0.48), (0.65, 0.53),
    (0.71, 0.62), (0.70, 0.72), (0.64, 0.80), (0.54, 0.85), (0.43, 0.86), (0.34, 0.82),
    (0.29, 0.75),
]
_COLOURS = 128


@contextmanager
def serving(network: Path, npu: str, on: str = "golden") -> Iterator[DemoServer]:
    """A server on any free port, in a thread."""
    program = assemble(compile_network(network, load_npu(npu)))
    classifier = Classifier(program, on)
    about = {"network": network.name, "npu": npu, "clock_mhz": 25.0}
    try:
        with DemoServer(0, classifier, demo_page(classifier, about), about) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            yield server
            server.shutdown()
    finally:
        classifier.close()


@contextmanager
def browser(*flags: str) -> Iterator[Any]:
    """Headless Chromium with an empty profile. Raises CimpleError if there is none."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise CimpleError(f"not found: {', '.join(missing)}; requirements/debian.txt lists them")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    service = webdriver.ChromeService(executable_path=str(shutil.which("chromedriver")))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*_FLAGS, *flags, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=service)
        try:
            yield driver
        finally:
            driver.quit()


def draw(
    driver: Any, strokes: Sequence[Sequence[tuple[float, float]]], kind: str = "mouse"
) -> None:
    """Draw lines on the pad, whose points are shares of its width and height.

    `kind` is what draws: `mouse`, `touch` or `pen`.
    """
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput
    from selenium.webdriver.common.by import By

    pad = driver.find_element(By.ID, "pad")
    box = pad.rect
    for stroke in strokes:
        actions = ActionBuilder(driver, mouse=PointerInput(kind, kind), duration=5)
        pointer = actions.pointer_action
        for number, (x, y) in enumerate(stroke):
            # From the middle of the pad.
            across, down = round((x - 0.5) * box["width"]), round((y - 0.5) * box["height"])
            pointer.move_to(pad, across, down)
            if number == 0:
                pointer.pointer_down()
        pointer.pointer_up()
        actions.perform()


def _picture(path: Path) -> None:
    """Draw a three, and write what the page shows then."""
    from PIL import Image
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    with serving(Path("examples/digits/digits.onnx"), "npu_digits") as server, browser() as driver:
        driver.get(server.url)
        draw(driver, [_THREE])
        element = driver.find_element(By.ID, "prediction")
        WebDriverWait(driver, 30).until(lambda _: element.text == "3")
        _fit(driver)
        # The bars are still moving.
        WebDriverWait(driver, 5).until(
            lambda _: driver.execute_script("return document.getAnimations().length === 0")
        )
        shot = Image.open(BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    shot.quantize(_COLOURS).save(path, optimize=True)


def _fit(driver: Any) -> None:
    """Make the window as high as the page, with nothing focused."""
    driver.execute_script("document.activeElement.blur()")
    wanted, shown, window = driver.execute_script(
        "return [document.documentElement.offsetHeight, innerHeight, outerHeight]"
    )
    driver.set_window_size(_WIDTH, wanted + window - shown)


def main() -> None:
    """Write the picture to the path that is given."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -P -m cimple.host.demo_picture PICTURE.png")
    try:
        _picture(Path(sys.argv[1]))
    except CimpleError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
