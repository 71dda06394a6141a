# SPDX-License-Identifier: Apache-2.0
"""Devices by the names that users give. The only place that knows them all."""

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from ...hdl.link.config import DEFAULT_BAUD
from ...hdl.npu.config import NpuConfig
from .build import Progress
from .device import Device, DeviceError
from .pipe import DEFAULT_TIMEOUT

__all__ = ["DEVICES", "open_device"]

#: Name, and `module:function` in this package; the module is imported when it is asked for.
DEVICES = {
    "golden": "golden:golden_device",
    "verilator": "verilator:verilator_device",
    "icarus": "icarus:icarus_device",
}


def open_device(
    name: str, config: NpuConfig, *, timeout: int = DEFAULT_TIMEOUT,
    progress: Progress = lambda message: None, baud: int = DEFAULT_BAUD,
) -> Device:
    """The device of that name, to be used in a `with` statement.

    Args:
        name: one of `DEVICES`, or a serial port.
        config: the NPU that it is.
        timeout: most clock cycles that an answer may take.
        progress: told what takes time.
        baud: of a serial port, in bits a second.

    Raises:
        CimpleError: there is no such device, or it cannot be made.
    """
    if "/" in name or name.upper().startswith("COM"):
        return _open_serial(name, timeout, baud)
    if name not in DEVICES:
        raise DeviceError(
            f"device must be one of {', '.join(DEVICES)} or a serial port, not {name!r}"
        )
    module, _, function = DEVICES[name].partition(":")
    make: Callable[..., Any] = getattr(
        importlib.import_module(f".{module}", __package__), function
    )
    return make(config, timeout=timeout, progress=progress)


def _open_serial(port: str, timeout: int, baud: int) -> Device:
    missing = [name for name in ("serial", "cobs") if find_spec(name) is None]
    if missing:
        raise DeviceError(
            f"{port}: serial ports need the extra 'serial': pip install 'cimple[serial]'"
        )
    from .serial_port import SerialDevice

    return SerialDevice(port, baud, timeout)
