# SPDX-License-Identifier: Apache-2.0
"""An NPU at a serial port: a board, or whatever speaks as one at a pseudo terminal."""

import contextlib
import errno
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import serial
from serial.tools import list_ports

from ...hdl.link.config import DEFAULT_BAUD
from ...hdl.link.frames import SESSION_BITS, LinkEvent
from ...hdl.npu.packets import Request, header
from .device import DeviceError
from .host_link import HostLink, LinkError, LinkPace, Report
from .pipe import DEFAULT_TIMEOUT

__all__ = ["SerialDevice"]

#: Bits of a byte on the line.
_BYTE_BITS = 10

#: What adapters and a busy computer may add to the time of an answer, and the time from one
#: question to the next while a program runs, in seconds.
_MARGIN, _IDLE = 0.1, 0.25

#: Seconds that the port may take for a frame, beyond the time on the line.
_WRITE_SECONDS = 5.0

#: Seconds that an answer may take besides the NPU's time: frames may be lost and sent again.
_RECOVERY = 3.0

#: Seconds for the answer to a RESET.
_RESET_SECONDS = 2.0


class SerialDevice:
    """An NPU behind a serial port, with the frames of `hdl.link.frames`.

    A session begins with a reset of the NPU; its memories keep their contents. Frames that are
    lost or damaged are sent again, and no request is carried out twice.

    Parameters
    ----------
    port : str
        As `/dev/ttyUSB0`.
    baud : int
        Bits a second, as the hardware was generated for.
    timeout : int
        Clock cycles of the NPU that an answer may take.
    """

    cycles_by = "the NPU's counters"

    def __init__(
        self, port: str, baud: int = DEFAULT_BAUD, timeout: int = DEFAULT_TIMEOUT
    ) -> None:
        self.name = port
        self._baud = baud
        self._timeout = timeout
        pace = LinkPace(_BYTE_BITS / baud, _MARGIN, _IDLE)
        self.link = HostLink(port, secrets.randbits(SESSION_BITS), pace)
        self._port: Any = None
        self._first: Report | None = None
        #: Answers that have not come.
        self._owed = 0

    def __enter__(self) -> Self:
        self._port = _open_port(self.name, self._baud)
        try:
            self._port.reset_input_buffer()
            self._pump(lambda: self.link.is_open)
        except BaseException:
            self._close()
            raise
        self._first = self.link.report
        return self

    def __exit__(self, *details: object) -> None:
        # Whoever is interrupted leaves no program behind that runs on.
        with contextlib.suppress(DeviceError):
            if self._owed and not self._is_gone(details):
                self._end_program()
        self._close()

    def transact(self, words: Sequence[int]) -> list[int]:
        """Send one request packet and return its answer.

        Raises DeviceError if the device is gone or was reset, or the answer does not come in time;
        a program that runs is ended then.
        """
        self.link.commands.add(words)
        self._owed += 1
        if not self._pump(lambda: bool(self.link.answers.packets), seconds=self._patience):
            with contextlib.suppress(DeviceError):
                self._end_program()
            raise DeviceError(
                f"{self.name}: no answer within {self._timeout:,} cycles, so the program was "
                "ended; allow more with --timeout, or check the program"
            )
        self._owed -= 1
        return self.link.answers.packets.popleft()

    def load_external(self, data: bytes) -> None:
        """Refuse: what external memory there is does not hang on the serial line."""
        raise DeviceError(
            f"{self.name}: external memory cannot be filled over a serial port "
            f"({len(data):,} bytes); compile the network for an NPU without an external port"
        )

    def notes(self) -> tuple[str, ...]:
        """What went wrong on the line since the session began, by both ends' counters."""
        link = self.link
        link.ask_report()
        self._pump(lambda: link.report is not None)
        assert link.report is not None
        assert self._first is not None
        counts = {
            f"device: {_name(event)}": count
            for event, count in link.report.since(self._first).items()
        }
        counts |= {
            "host: frames damaged": link.finder.damaged,
            "host: frames sent again": link.commands.resent,
            "host: answers repeated": link.answers.repeats,
            "host: answers missing": link.answers.gaps,
            "host: timeouts": link.timeouts,
        }
        return tuple(f"{self.name}: {name}: {count:,}" for name, count in counts.items() if count)

    # The port -----------------------------------------------------------------------------------

    @property
    def _patience(self) -> float:
        """Seconds that an answer may take."""
        assert self.link.report is not None or self._first is not None
        report = self.link.report or self._first
        return _RECOVERY + self._timeout / max(1, report.clock_hz if report else 1)

    def _end_program(self) -> None:
        """Send a RESET, which ends a program; until everything has been answered."""
        self.link.commands.add([header(Request.RESET, 0)])
        self._owed += 1
        packets = self.link.answers.packets
        if self._pump(lambda: len(packets) >= self._owed, seconds=_RESET_SECONDS):
            self._owed = 0
            packets.clear()

    def _pump(self, done: Callable[[], bool], *, seconds: float | None = None) -> bool:
        """Send and receive until something is done; False if it is not for so many seconds.

        They count from when the device has taken all, and anew with every word that comes.
        """
        link, progress, began = self.link, None, time.monotonic()
        while not done():
            now = time.monotonic()
            state = (link.commands.is_acknowledged, link.answers.expected)
            if state != progress or not link.commands.is_acknowledged:
                progress, began = state, now
            if seconds is not None and now - began > seconds:
                return False
            with self._clear_errors():
                if frame := link.poll(now):
                    self._port.write(frame)
                    data = self._port.read(self._port.in_waiting)
                else:
                    left = began + seconds - now if seconds is not None else link.wake - now
                    data = self._read(min(left, link.wake - now))
            if data:
                link.receive(data, time.monotonic())
        return True

    def _read(self, seconds: float) -> bytes:
        """What comes within that time; it returns with the first."""
        self._port.timeout = max(0.001, seconds)
        data = self._port.read(1)
        return data + self._port.read(self._port.in_waiting) if data else b""

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except serial.SerialTimeoutException:
            self._owed = 0
            raise LinkError(
                f"{self.name}: the port takes no more bytes; check that it is a board's"
            ) from None
        except (OSError, TypeError) as error:
            # pyserial's own errors are of this kind; a port that closes amid a read has no number.
            self._owed = 0
            raise LinkError(
                f"{self.name}: the port is gone ({_reason(error)}); check the cable, and run again"
            ) from None

    def _is_gone(self, details: Sequence[object]) -> bool:
        return bool(details) and isinstance(details[1], LinkError)

    def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(OSError):
                port.close()


def _name(event: LinkEvent) -> str:
    return event.name.lower().replace("_", " ")


def _open_port(name: str, baud: int) -> Any:
    try:
        return serial.Serial(
            name, baud, timeout=0, write_timeout=_WRITE_SECONDS, exclusive=True
        )
    except ValueError as error:
        raise DeviceError(f"{name}: --baud {baud} is not what this port can do: {error}") from None
    except OSError as error:
        raise DeviceError(f"{name}: {_why_not_open(error)}") from None


def _why_not_open(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        ports = ", ".join(sorted(port.device for port in list_ports.comports())) or "none"
        return f"there is no such port; ports of this computer: {ports}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            "permission denied; let your user use it, as with `sudo usermod -aG dialout $USER` and "
            "a new login"
        )
    if error.errno in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
        return "is in use by another program; end that one"
    return f"cannot be opened as a serial port: {_reason(error)}"


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return errno.errorcode.get(number, str(error)) if number else str(error)

