# SPDX-License-Identifier: Apache-2.0
"""An NPU at a serial port: a golden one at a pseudo terminal, with and without faults."""

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cimple.hdl.npu.packets import (
    IDENTITY_WORDS,
    MAGIC,
    Memory,
    Request,
    Status,
    header,
    response_header,
)
from cimple.host.client import NpuClient
from cimple.host.commands.run import run_batch
from cimple.host.devices import serial_port
from cimple.host.devices.device import DeviceError
from cimple.host.devices.serial_port import SerialDevice
from cimple.host.devices.table import open_device
from tests.compiler.networks import npu
from tests.host.programs import small_program
from tests.host.pty_device import PtyDevice, noise

BAUD = 115_200


def error(call: Callable[[], object]) -> str:
    with pytest.raises(DeviceError) as caught:
        call()
    return str(caught.value)


def open_port(port: str, **options: Any) -> SerialDevice:
    device = open_device(port, npu(), baud=BAUD, **options)
    assert isinstance(device, SerialDevice)
    return device


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are those of a pseudo terminal, which has no adapter in between."""
    monkeypatch.setattr(serial_port, "_MARGIN", 0.01)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_a_network_gives_what_the_golden_model_gives(tmp_path: Path, rate: float) -> None:
    program = small_program(tmp_path)
    batch = np.random.default_rng(1).uniform(-1, 1, (4, 2, 4, 4)).astype(np.float32)
    right = run_batch("golden", program.config, program, batch)
    with PtyDevice(program.config, garble=noise(1, rate)) as device:
        found = run_batch(device.port, program.config, program, batch, baud=BAUD)
    assert np.array_equal(found.outputs, right.outputs)
    assert bool(found.notes) is (rate > 0)
    if rate:
        assert any("host: frames damaged: " in note for note in found.notes), found.notes
        assert any(f"{device.port}: device: " in note for note in found.notes), found.notes


@pytest.mark.usefixtures("_impatient")
def test_nothing_is_carried_out_twice() -> None:
    with PtyDevice(npu(), garble=noise(2, 0.15)) as device, open_port(device.port) as port:
        packets = [[header(Request.SYNC, tag), tag * 77] for tag in range(200)]
        for packet in packets:
            assert port.transact(packet)[1] == packet[1]
        assert device.link.packets == packets
        assert port.link.commands.resent


def test_a_program_for_another_npu_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    program = small_program(tmp_path)
    with PtyDevice(npu(lanes=8, requantisers=4)) as device:
        with open_port(device.port) as port:
            said = error(lambda: NpuClient(port).load(program))
        assert said.startswith(f"{device.port}: the program is for another NPU; it has lanes 8")
        assert [packet[0] & 0xFF for packet in device.link.packets] == [Request.IDENTIFY]


def test_long_packets_are_divided() -> None:
    with PtyDevice(npu()) as device, open_port(device.port) as port:
        client = NpuClient(port)
        data = np.random.default_rng(2).bytes(npu().weight_bytes)
        assert len(data) > 4 * 64
        client.write(Memory.WEIGHTS, 0, data)
        assert client.read(Memory.WEIGHTS, 0, len(data)) == data
        assert port.notes() == ()


def test_a_program_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A RESET goes to the device while the answer to the RUN is awaited."""
    monkeypatch.setattr(serial_port, "_RECOVERY", 0.5)
    waiting: list[Sequence[int]] = []

    def answer(packet: Sequence[int]) -> Sequence[int]:
        if packet[0] & 0xFF == Request.RUN:
            waiting.append(packet)
            return []
        aborted = [response_header(Request.RUN, waiting.pop()[0] >> 8, Status.ABORTED), 7]
        device.link.answer_also(aborted)
        return [response_header(Request.RESET, packet[0] >> 8 & 0xFF, Status.OK)]

    with (
        PtyDevice(npu(), answer=answer) as device,
        open_port(device.port, timeout=100_000) as port,
    ):
        said = error(lambda: port.transact([header(Request.RUN, 1), 0]))
        assert "no answer within 100,000 cycles, so the program was ended" in said
        assert [packet[0] & 0xFF for packet in device.link.packets] == [
            Request.RUN, Request.RESET
        ]


def test_what_is_no_npu_is_named() -> None:
    def answer(packet: Sequence[int]) -> Sequence[int]:
        tag = packet[0] >> 8 & 0xFF
        return [response_header(Request.IDENTIFY, tag, Status.OK)] + [MAGIC + 1] * IDENTITY_WORDS

    with PtyDevice(npu(), answer=answer) as device, open_port(device.port) as port:
        assert "not a Cimple NPU" in error(lambda: NpuClient(port).identify())


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    ("garble", "expected"),
    [
        (lambda data: b"", "nothing answers; check that this is the board's port"),
        (lambda data: b"login: \r\n", "bytes came and no answer of a Cimple NPU"),
    ],
)
def test_what_does_not_answer_is_named(garble: Callable[[bytes], bytes], expected: str) -> None:
    with PtyDevice(npu(), garble=garble) as device:
        said = error(lambda: open_port(device.port).__enter__())
        assert expected in said
        assert said.startswith(device.port)


def test_a_device_that_was_reset_is_told() -> None:
    with PtyDevice(npu()) as device, open_port(device.port) as port:
        port.transact([header(Request.SYNC, 1), 1])
        device.link.power_on()
        said = error(lambda: port.transact([header(Request.SYNC, 2), 2]))
        assert "the device was reset or another program has used it; run again" in said
        assert len(device.link.packets) == 1


def test_an_unplugged_port_is_one_clear_error() -> None:
    with PtyDevice(npu()) as device, open_port(device.port) as port:
        port.transact([header(Request.SYNC, 1), 1])
        device.unplug()
        said = error(lambda: port.transact([header(Request.SYNC, 2), 2]))
        assert said.startswith(f"{device.port}: the port is gone (")


def test_ports_that_cannot_be_opened(tmp_path: Path) -> None:
    assert "there is no such port; ports of this computer: " in error(
        lambda: open_port("/dev/ttyNONE").__enter__()
    )
    plain = tmp_path / "file"
    plain.write_text("")
    assert f"{plain}: cannot be opened as a serial port" in error(
        lambda: open_port(str(plain)).__enter__()
    )
    with PtyDevice(npu()) as device, open_port(device.port):
        assert "is in use by another program" in error(
            lambda: open_port(device.port).__enter__()
        )
    if os.geteuid():
        plain.chmod(stat.S_IWUSR >> 6)
        assert "permission denied" in error(lambda: open_port(str(plain)).__enter__())


def test_permission_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(serial_port.serial, "Serial", refuse)
    assert "permission denied; let your user use it" in error(
        lambda: open_port("/dev/ttyUSB0").__enter__()
    )


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cimple.host.devices.table.find_spec", lambda name: None)
    assert error(lambda: open_device("/dev/ttyUSB0", npu())) == (
        "/dev/ttyUSB0: serial ports need the extra 'serial': pip install 'cimple[serial]'"
    )
