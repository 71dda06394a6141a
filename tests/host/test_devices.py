# SPDX-License-Identifier: Apache-2.0
"""Devices: names, and processes that end, hang or talk nonsense."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cimple.hdl.npu.isa import Descriptor, Opcode, Queue
from cimple.hdl.npu.packets import Memory, Request, Status, address, header, response_header
from cimple.host.devices.build import run_tool
from cimple.host.devices.device import DeviceError
from cimple.host.devices.pipe import PipeDevice
from cimple.host.devices.table import DEVICES, open_device
from cimple.verif.bench.simulators import find_simulator
from tests.compiler.networks import npu

SYNC = [header(Request.SYNC, 1), 0x12345678]


def error(call: Callable[[], object]) -> str:
    with pytest.raises(DeviceError) as caught:
        call()
    return str(caught.value)


def scripted(source: str) -> PipeDevice:
    """A device that is a Python script."""
    return PipeDevice("toy", [sys.executable, "-c", source], os.environ)


def test_names() -> None:
    assert list(DEVICES) == ["golden", "verilator", "icarus"]
    assert error(lambda: open_device("vcs", npu())) == (
        "device must be one of golden, verilator, icarus or a serial port, not 'vcs'"
    )


def test_requests_and_answers_are_lines() -> None:
    echo = "import sys\nfor line in sys.stdin: print('a', line.strip(), flush=True)"
    with scripted(echo) as device:
        assert device.transact([1, 0xFFFFFFFF]) == [2, 1, 0xFFFFFFFF]
        assert device.transact([7]) == [1, 7]
        assert device.cycles == 20


def test_a_process_that_ends() -> None:
    last_words = "import sys; sys.stdin.readline(); print('no\\nmemory', file=sys.stderr); exit(3)"
    with scripted(last_words) as device:
        expected = "toy: the simulation ended with exit code 3: no / memory"
        assert error(lambda: device.transact([1])) == expected
        assert error(lambda: device.transact([1])) == expected


def test_a_process_that_is_killed() -> None:
    suicide = "import os, sys; sys.stdin.readline(); os.kill(os.getpid(), 9)"
    with scripted(suicide) as device:
        assert error(lambda: device.transact([1])) == "toy: the simulation ended with exit code -9"


def test_half_a_line() -> None:
    with scripted("import sys; sys.stdin.readline(); print('1 2', end='')") as device:
        assert error(lambda: device.transact([1])) == "toy: the simulation ended with exit code 0"


def test_nonsense() -> None:
    with scripted("import sys; sys.stdin.readline(); print('hello there')") as device:
        assert error(lambda: device.transact([1])) == "toy: not an answer: 'hello there'"


def test_a_process_that_cannot_start(tmp_path: Path) -> None:
    device = PipeDevice("toy", [tmp_path / "missing"], os.environ)
    assert error(device.__enter__) == "toy: cannot start: No such file or directory"


def test_a_device_that_is_not_open() -> None:
    device = scripted("")
    assert error(lambda: device.transact([1])) == "toy: is not open"
    with device:
        pass
    assert error(lambda: device.transact([1])) == "toy: is not open"


def test_a_process_that_does_not_end_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cimple.host.devices.pipe._GRACE", 0.2)
    with scripted("import time\nwhile True: time.sleep(1)") as device:
        process = device._process
        assert process is not None
    assert process.returncode == -9


def test_an_interrupted_process_is_not_waited_for() -> None:
    device = scripted("import time\nwhile True: time.sleep(1)")
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), device:
        raise KeyboardInterrupt
    assert time.monotonic() - started < 4


def test_a_build_that_fails(tmp_path: Path) -> None:
    complaint = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(1)"
    command = [sys.executable, "-c", complaint]
    expected = "toy: building the simulation failed:\n"
    said = error(lambda: run_tool(command, tmp_path, os.environ, "toy"))
    assert said.startswith(expected)
    assert sorted(said.removeprefix(expected).splitlines()) == ["one", "two"]


@pytest.mark.xdist_group("device icarus")
def test_icarus_answers_and_gives_up_in_time() -> None:
    config = npu(rows=2, columns=1, activation_bytes=256, weight_bytes=256, activation_port=4,
                 lanes=1, channels=8, descriptors=16, stamps=16, partial_sum_words=16)
    messages: list[str] = []
    with open_device("icarus", config, timeout=40, progress=messages.append) as device:
        expected = [response_header(Request.SYNC, 1, Status.OK), 0x12345678]
        assert device.transact(SYNC) == expected
        assert device.transact(SYNC) == expected
        # A program that waits for a token that never comes.
        waiting = [*Descriptor(Opcode.COMPUTE, {"wait": 1 << Queue.LOAD}).encode(),
                   *Descriptor(Opcode.END, {}).encode()]
        request = [header(Request.WRITE, 2, len(waiting)), address(Memory.PROGRAM, 0), *waiting]
        assert device.transact(request) == [
            response_header(Request.WRITE, 2, Status.OK)
        ]
        assert error(lambda: device.transact([header(Request.RUN, 3), 0])) == (
            "icarus: no answer within 40 cycles; allow more with --timeout, or check the program"
        )
        # The simulation is over; that is said, not waited for.
        assert "ended with exit code" in error(lambda: device.transact(SYNC))


def test_a_design_that_the_simulator_does_not_take(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CIMPLE_CACHE", str(tmp_path))
    monkeypatch.setattr("cimple.host.devices.icarus.verilog_of", lambda *_: "module broken")
    said = error(lambda: open_device("icarus", npu()))
    assert said.startswith("icarus: building the simulation failed:\n")
    assert "syntax error" in said
    assert find_simulator("icarus").name == "icarus"
