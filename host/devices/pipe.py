# SPDX-License-Identifier: Apache-2.0
"""Simulations that are other processes: a line out for each request, a line back for its answer.

Of a device, a request is a packet: the number of words, then the words, in hexadecimal. Its answer:
the clock cycles it took, then its words, in hexadecimal; or `timeout`.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import numpy as np

from .device import DeviceError

__all__ = ["DEFAULT_TIMEOUT", "LineProcess", "PipeDevice"]

#: Cycles that an answer may take: some hundred times what the largest network needs.
DEFAULT_TIMEOUT = 50_000_000

#: Bytes of external memory at most.
MOST_EXTERNAL = 1 << 24

#: Seconds that a process has to end by itself.
_GRACE = 5


class LineProcess:
    """A process that answers each line with a line; a context manager that starts and ends it.

    Parameters
    ----------
    name : str
        As the user calls it.
    command : sequence of str
        What to start.
    environment : mapping
        Its environment variables.
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._command = [str(word) for word in command]
        self._environment = dict(environment)
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        # A file, as a pipe that nobody reads would stop the process once it is full.
        self._errors = self._held.enter_context(
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        )
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
                env=self._environment, text=True, encoding="ascii", errors="replace",
                # Ctrl-C is for us: the process ends when its input does.
                start_new_session=True,
            )
        except OSError as error:
            self._held.close()
            raise DeviceError(f"{self.name}: cannot start: {error.strerror or error}") from None
        return self

    def __exit__(self, kind: object = None, *details: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            if kind is not None:
                # It may be in the middle of something that nobody waits for any more.
                process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._held.close()

    def ask(self, request: str) -> str:
        """Send a line and return the line that comes back, both without their ends.

        Raises DeviceError if the process has ended.
        """
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise DeviceError(f"{self.name}: is not open")
        try:
            process.stdin.write(request + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        if not answer.endswith("\n"):
            raise DeviceError(self._obituary(process))
        return answer[:-1]

    def _obituary(self, process: subprocess.Popen[str]) -> str:
        """What to say of a process that has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        assert self._errors is not None
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors.read().splitlines() if line.strip()]
        said = ": " + " / ".join(lines[-3:]) if lines else ""
        return f"{self.name}: the simulation ended with exit code {process.returncode}{said}"


class PipeDevice(LineProcess):
    """An NPU simulated by another process.

    Parameters
    ----------
    name, command, environment
        As of `LineProcess`.
    has_external : bool
        Whether there is external memory at the NPU's port.
    """

    cycles_by = "the NPU's counters"

    def __init__(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], *,
        has_external: bool = False,
    ) -> None:
        super().__init__(name, command, environment)
        self._has_external = has_external
        #: Clock cycles simulated so far.
        self.cycles = 0

    def load_external(self, data: bytes) -> None:
        """Put data, whole words, into external memory, from address 0 on.

        Raises DeviceError if there is none, or if it is smaller.
        """
        if not self._has_external or len(data) > MOST_EXTERNAL:
            available = MOST_EXTERNAL if self._has_external else 0
            raise DeviceError(
                f"{self.name}: external memory has {available:,} bytes, {len(data):,} are needed"
            )
        words = np.frombuffer(data, "<u4").tolist()
        answer = self.ask(" ".join(["0", f"{len(words):x}", *(f"{word:x}" for word in words)]))
        if answer != "0":
            raise DeviceError(f"{self.name}: not an answer: {answer[:60]!r}")

    def notes(self) -> tuple[str, ...]:
        """Nothing: a pipe loses nothing."""
        return ()

    def transact(self, words: Sequence[int]) -> list[int]:
        """Send one request packet and return its answer.

        Raises DeviceError if the process has ended or the answer does not come in time; the
        device cannot be used any more then.
        """
        answer = self.ask(" ".join([f"{len(words):x}", *(f"{word:x}" for word in words)]))
        if answer.startswith("timeout"):
            raise DeviceError(
                f"{self.name}: no answer within {int(answer.split()[1], 16):,} cycles; allow more "
                "with --timeout, or check the program"
            )
        return self._parse(answer)

    def _parse(self, answer: str) -> list[int]:
        try:
            cycles, *words = (int(word, 16) for word in answer.split())
        except ValueError:
            raise DeviceError(f"{self.name}: not an answer: {answer[:60].strip()!r}") from None
        self.cycles += cycles
        return words
