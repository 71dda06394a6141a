# SPDX-License-Identifier: Apache-2.0
"""`cimple demo` without a browser: its answers, its errors, its end."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cimple.compiler.compile import compile_network
from cimple.hdl.errors import CimpleError
from cimple.hdl.load import load_config
from cimple.host import cli
from cimple.host import demo as demo_module
from cimple.host.assemble import assemble
from cimple.host.demo import Classifier
from cimple.host.demo_picture import serving
from cimple.host.demo_server import DemoServer
from cimple.host.devices.device import DeviceError
from cimple.host.devices.golden import GoldenDevice
from cimple.host.drawing import digit_image
from tests.host.handwriting import written
from tests.host.programs import small_network

NETWORK = Path("examples") / "digits" / "digits.onnx"
SEVEN = {"strokes": written(7, 0, 0)}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[DemoServer]:
    with serving(root / NETWORK, "npu_digits") as made:
        yield made


def ask(
    server: DemoServer, path: str, body: Any = None, *, method: str = "",
    headers: dict[str, str] | None = None,
) -> tuple[int, Any, http.client.HTTPResponse]:
    """Status, content, and the whole answer."""
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request(
        method or ("GET" if body is None else "POST"), path, data,
        JSON if headers is None else headers,
    )
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    is_json = answer.getheader("Content-Type") == "application/json"
    return answer.status, json.loads(content) if is_json and content else content.decode(), answer


def test_a_drawing_is_read(server: DemoServer) -> None:
    status, found, _ = ask(server, "/api/classify", {"device": "golden", **SEVEN})
    assert status == 200
    assert found["prediction"] == 7 == int(np.argmax(found["scores"]))
    assert found["pixels"] == digit_image(SEVEN["strokes"]).reshape(-1).tolist()
    assert (found["device"], found["cycles_by"]) == ("golden", "the cycle model")
    names = [layer["name"] for layer in found["layers"]]
    assert names == ["conv1", "conv2", "maxpool1", "conv3", "gemm1"]
    assert 0 <= found["cycles"] - sum(layer["cycles"] for layer in found["layers"]) < 20
    assert found["seconds"] > 0


def test_cycles_and_scores_are_those_of_cimple_run(
    server: DemoServer, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = digit_image(written(4, 0, 3)).reshape(-1).tolist()
    _, found, _ = ask(server, "/api/classify", {"pixels": pixels})
    np.save(tmp_path / "x.npy", np.array(pixels, np.float32).reshape(1, 1, 8, 8) / 16)
    program = assemble(compile_network(root / NETWORK, load_npu()))
    program.save(tmp_path / "digits.cim")
    words = ("run", tmp_path / "digits.cim", "-i", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    with pytest.raises(SystemExit) as done:
        cli.main([str(word) for word in words])
    assert done.value.code == 0
    assert f"cycles an image: {found['cycles']:,}, by the cycle model" in capsys.readouterr().out
    assert np.load(tmp_path / "y.npy")[0].tolist() == found["scores"]
    assert found["prediction"] == 4


def load_npu() -> Any:
    return load_config("npu_digits")


def test_the_page_brings_everything_with_it(server: DemoServer) -> None:
    status, page, answer = ask(server, "/")
    assert status == 200
    assert answer.getheader("Content-Type") == "text/html; charset=utf-8"
    assert "default-src 'none'" in str(answer.getheader("Content-Security-Policy"))
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["data:,"]
    assert "://" not in page
    for device in ("golden", "verilator", "icarus"):
        assert f'value="{device}"' in page
    assert page == ask(server, "/?x=1")[1]


def test_status(server: DemoServer) -> None:
    status, found, _ = ask(server, "/api/status")
    assert (status, found) == (200, {
        "network": "digits.onnx", "npu": "npu_digits", "clock_mhz": 25.0,
        "devices": ["golden", "verilator", "icarus"], "device": "golden", "busy": "",
    })


BAD: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", "the request must be JSON; it is not, or is cut short"),
    "nested": (b"[" * 100_000, "the request must be JSON; it is not, or is cut short"),
    "a list": ([1], "the request must be a JSON object with strokes or pixels"),
    "nothing": ({}, "besides device there must be strokes or pixels, not neither"),
    "both": (
        {"strokes": [[[0, 0]]], "pixels": [0] * 64},
        'besides device there must be strokes or pixels, not "pixels", "strokes"',
    ),
    "another key": (
        {"image": []}, 'besides device there must be strokes or pixels, not "image"'
    ),
    "device": (
        {"device": "gpu", **SEVEN}, 'device must be one of golden, verilator, icarus, not "gpu"'
    ),
    "device's type": (
        {"device": [1], **SEVEN}, "device must be one of golden, verilator, icarus, not [1]"
    ),
    "pixels": ({"pixels": [0] * 63}, "pixels must be a list of 64 numbers, row by row"),
    "a pixel": (
        {"pixels": [0] * 63 + [17]}, "pixels[63] must be a whole number from 0 to 16, not 17"
    ),
    "a true pixel": (
        {"pixels": [True] * 64}, "pixels[0] must be a whole number from 0 to 16, not true"
    ),
    "no points": ({"strokes": [[]]}, "strokes must have 1 to 20,000 points, not 0"),
    "many points": (
        {"strokes": [[[0, 0]] * 20_001]}, "strokes must have 1 to 20,000 points, not 20,001"
    ),
    "strokes' type": ({"strokes": 3}, "strokes must be a list of lists of points [x, y]"),
    "a point": (
        {"strokes": [[[0, 0], [1]]]},
        "strokes[0][1] must be [x, y], numbers from -1,000,000 to 1,000,000, not [1]",
    ),
    "infinity": (
        b'{"strokes": [[[Infinity, 0]]]}',
        "strokes[0][0] must be [x, y], numbers from -1,000,000 to 1,000,000, not [Infinity, 0]",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_requests(name: str, server: DemoServer) -> None:
    body, expected = BAD[name]
    assert ask(server, "/api/classify", body)[:2] == (400, {"error": expected})


def test_wrong_paths_and_methods(server: DemoServer) -> None:
    assert ask(server, "/favicon.ico")[:2] == (404, {
        "error": "there is no /favicon.ico; there are /, /api/status, /api/classify"
    })
    status, found, answer = ask(server, "/api/classify")
    assert (status, found) == (405, {"error": "/api/classify takes POST, not GET"})
    assert answer.getheader("Allow") == "POST"
    for method in ("POST", "DELETE", "PUT", "OPTIONS", "BREW"):
        expected = {"error": f"/api/status takes GET, not {method}"}
        assert ask(server, "/api/status", b"", method=method)[:2] == (405, expected)
    assert ask(server, "/", method="HEAD")[:2] == (405, "")


def test_only_pages_of_this_server_may_ask(server: DemoServer) -> None:
    """Neither another site's form nor a name that someone else gave this address."""
    headers = {"Content-Type": "text/plain"}
    assert ask(server, "/api/classify", SEVEN, headers=headers)[:2] == (415, {
        "error": 'Content-Type must be application/json, not "text/plain"'
    })
    status, found, _ = ask(server, "/", headers={"Host": "somewhere.example:80"})
    assert (status, found) == (403, {
        "error": "Host must be 127.0.0.1 or localhost, not somewhere.example"
    })


def test_bodies_too_large_or_too_short(
    server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {**JSON, "Content-Length": "1048577"}
    assert ask(server, "/api/classify", b"", headers=headers)[:2] == (413, {
        "error": "a request may have 1,048,576 bytes, not 1,048,577"
    })
    headers = {**JSON, "Content-Length": "many"}
    assert ask(server, "/api/classify", b"", headers=headers)[:2] == (411, {
        "error": "Content-Length must say how many bytes follow"
    })
    monkeypatch.setattr("cimple.host.demo_server._Handler.timeout", 0.2)
    headers = {**JSON, "Content-Length": "20"}
    assert ask(server, "/api/classify", b"{}", headers=headers)[:2] == (408, {
        "error": "fewer bytes came than the 20 announced"
    })


def test_no_http_at_all(server: DemoServer) -> None:
    with socket.create_connection(("127.0.0.1", server.server_address[1]), 10) as connection:
        connection.sendall(b"what is this\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    assert answer.startswith("HTTP/1.0 400 Bad Request")
    assert '{"error": "Bad request' in answer
    assert ask(server, "/api/status")[0] == 200


class Odd(GoldenDevice):
    """A device that can be lost, and counts who uses it at a time."""

    name = "odd"
    opened = users = most = 0
    fault = ""

    def __enter__(self) -> "Odd":
        Odd.opened += 1
        return self

    def transact(self, words: Any) -> list[int]:
        Odd.users += 1
        Odd.most = max(Odd.most, Odd.users)
        try:
            time.sleep(0.001)
            if Odd.fault:
                raise DeviceError(Odd.fault)
            return super().transact(words)
        finally:
            Odd.users -= 1


@pytest.fixture
def odd(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoServer]:
    monkeypatch.setattr(demo_module, "open_device", lambda _, config, **unused: Odd(config))
    monkeypatch.setattr(Odd, "opened", 0)
    with serving(root / NETWORK, "npu_digits", "/dev/odd") as made:
        yield made


def test_a_device_that_is_lost_is_opened_again(
    odd: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(odd, "/api/status")[1]["devices"] == ["/dev/odd", "golden", "verilator", "icarus"]
    assert ask(odd, "/api/classify", SEVEN)[1]["prediction"] == 7
    assert Odd.opened == 1

    with monkeypatch.context() as patch:
        patch.setattr(Odd, "fault", "/dev/odd: the cable is out")
        answer = ask(odd, "/api/classify", SEVEN)
        assert answer[:2] == (503, {"error": "/dev/odd: the cable is out"})
        assert ask(odd, "/api/classify", SEVEN)[0] == 503
    assert ask(odd, "/api/classify", SEVEN)[1]["prediction"] == 7
    assert Odd.opened == 3
    assert ask(odd, "/api/status")[1]["busy"] == ""


def test_requests_wait_for_each_other(odd: DemoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of six at once each has its own answer, and the device has one user at a time."""
    monkeypatch.setattr(Odd, "most", 0)
    found: dict[int, int] = {}

    def one(digit: int) -> None:
        body = {"strokes": written(digit, 0, 0), "device": "/dev/odd"}
        found[digit] = ask(odd, "/api/classify", body)[1]["prediction"]

    threads = [threading.Thread(target=one, args=(digit,)) for digit in (0, 2, 3, 5, 7, 9)]
    for thread in threads:
        thread.start()
    busy = ask(odd, "/api/status")[1]["busy"]
    for thread in threads:
        thread.join(60)
    assert found == {digit: digit for digit in (0, 2, 3, 5, 7, 9)}
    assert Odd.most == 1
    assert busy in ("", "/dev/odd: running")


def test_a_network_for_something_else_is_refused(tmp_path: Path) -> None:
    program = assemble(compile_network(small_network().save(tmp_path / "net.onnx"), tiny()))
    with pytest.raises(CimpleError) as caught:
        Classifier(program, "golden")
    assert str(caught.value) == (
        "net.onnx: the page draws digits: the network must take one float32 image of 8 x 8 and "
        "give 10 values, not float32 [2, 4, 4] and [2]; use the network in examples/digits"
    )


def tiny() -> Any:
    return load_config("npu_tiny")


def command(*words: object) -> list[str]:
    return [sys.executable, "-P", "-m", "cimple.host", "demo", *map(str, words)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--on", "gpu"), "device must be one of golden, verilator, icarus"),
        (("--network", "none.onnx"), "none.onnx: no such file"),
        (("--npu", "npu_none"), "npu_none"),
        (("--port", "65536"), "less than or equal to 65535"),
    ],
)
def test_errors_before_it_serves(words: tuple[str, ...], expected: str, root: Path) -> None:
    done = subprocess.run(
        command("--no-open", *words), cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use(root: Path, server: DemoServer) -> None:
    port = server.server_address[1]
    done = subprocess.run(
        command("--no-open", "--port", port), cwd=root, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (2, (
        f"error: port {port} of 127.0.0.1 cannot be opened: Address already in use; choose another "
        "with --port, or 0 for any that is free\n"
    ))


@pytest.fixture
def running(root: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command on a program file, from another folder; and where it serves."""
    program = assemble(compile_network(root / NETWORK, load_npu()))
    program.save(tmp_path / "digits.cim")
    process = subprocess.Popen(
        command("--no-open", "--port", 0, "--network", "digits.cim"), cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # Who runs tests in the background may ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    found = re.match(r"http://(127\.0\.0\.1:\d+)/  \(Ctrl-C ends it\)", process.stdout.readline())
    assert found is not None
    yield process, found[1]
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once(number: int, running: tuple[subprocess.Popen[str], str]) -> None:
    """With a request that never comes to its end, and without a traceback."""
    process, address = running
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), 10) as waiting:
        waiting.sendall(b"POST /api/classify HTTP/1.1\r\nHost: localhost\r\nContent-Len")
        connection = http.client.HTTPConnection(address, timeout=60)
        connection.request("POST", "/api/classify", json.dumps(SEVEN), JSON)
        assert json.loads(connection.getresponse().read())["prediction"] == 7
        started = time.monotonic()
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
    assert time.monotonic() - started < 3
    assert (process.returncode, out, errors) == (0, "", "stopped\n")


def test_a_program_file_is_taken(running: tuple[subprocess.Popen[str], str]) -> None:
    _, address = running
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", "/api/status")
    assert json.loads(connection.getresponse().read())["npu"] == "npu_digits"


