# SPDX-License-Identifier: Apache-2.0
"""The command line: what it writes, and that every fault ends in one clear message."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cimple.hdl.config import field_table
from cimple.hdl.kinds import KINDS
from cimple.hdl.load import load_config, preset_files
from cimple.hdl.version import version
from cimple.host import cli
from cimple.host.commands.table import COMMANDS, Command

COMMAND = [sys.executable, "-P", "-m", "cimple.host"]

GOOD = "macro:\n  name: mine\n  rows: 4\n  columns: 2\n"


def run(*words: str | Path, directory: Path, **options) -> subprocess.CompletedProcess[str]:
    """Run the command line in another process, as a user does."""
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
        **options,
    )


@pytest.fixture
def error_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The one message of a command that must fail, run in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run_in_this_process(*words: str | Path) -> str:
        with pytest.raises(SystemExit) as stop:
            cli.main([str(word) for word in words])
        assert stop.value.code == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: ")
        return said.err.removeprefix("error: ").rstrip("\n")

    return run_in_this_process


def test_version(tmp_path):
    result = run("--version", directory=tmp_path)
    assert (result.returncode, result.stdout) == (0, f"cimple {version()}\n")


def test_help_names_every_command(tmp_path):
    result = run("--help", directory=tmp_path)
    assert result.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"{command.name} +{re.escape(command.summary)}", result.stdout)


def test_help_imports_no_command(tmp_path):
    code = (
        "import sys\nfrom cimple.host.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('amaranth', 'numpy', 'pydantic') if m in sys.modules])\n"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_generate_help_documents_every_field(tmp_path):
    result = run("generate", "--help", directory=tmp_path)
    assert result.returncode == 0
    for kind in KINDS.values():
        for row in field_table(kind.config_class()):
            if "." not in row.name:
                assert f"--{row.name.replace('_', '-')} " in result.stdout


def test_presets_lists_every_preset(tmp_path):
    result = run("presets", directory=tmp_path)
    assert result.returncode == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == list(preset_files())
    assert re.search(r"^conv_72x16 +macro +lookup +72 x 16 +8 +1 +1152 +9216$", result.stdout, re.M)


def test_generate_a_file(tmp_path):
    (tmp_path / "mine.yaml").write_text(GOOD)
    result = run("generate", "mine.yaml", "-o", "here", directory=tmp_path)
    assert result.returncode == 0, result.stderr
    names = ["mine.v", "mine.json", "mine.core", "mine.vlt"]
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == sorted(names)
    assert re.findall(r"here/(\S+) \(", result.stdout) == names


def test_generate_a_preset_with_a_change(tmp_path):
    result = run("generate", "tiny_4x1", "--columns", "3", "--name", "three", directory=tmp_path)
    assert result.returncode == 0, result.stderr
    manifest = json.loads((tmp_path / "out" / "three.json").read_text())
    expected = load_config("tiny_4x1", {"columns": 3, "name": "three"})
    assert manifest["parameters"] == expected.to_mapping()


def test_generate_from_options_alone(tmp_path):
    words = ["--kind", "macro", "--rows=2", "--columns=2", "--cell=bitcell", "--name=two"]
    result = run("generate", *words, directory=tmp_path)
    assert result.returncode == 0, result.stderr
    manifest = json.loads((tmp_path / "out" / "two.json").read_text())
    assert manifest["parameters"]["cell"] == "bitcell"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to generate: give a YAML file, a preset"),
        (["tiny_4x2"], "tiny_4x2: no such file or preset; did you mean tiny_4x1"),
        (["zzzzzz"], "zzzzzz: no such file or preset; presets are: asic_64x16_latch, "),
        (["none.yaml"], "none.yaml: cannot be read: No such file or directory"),
        (["tiny_4x1", "--rows", "0"], "rows: must be at least 1 and at most 4096, not 0"),
        (["tiny_4x1", "--rows", "four"], "rows: must be an integer, at least 1"),
        (["tiny_4x1", "--rows", "[1"], "--rows: line 1"),
        (["tiny_4x1", "--cell", "lokup"],
         "cell: must be one of 'bitcell', 'lookup', 'rom', 'near', not 'lokup'"),
        (["tiny_4x1", "--banks", "16"],
         "banks must be one of 1, 2, 4, 8 with cell: lookup, not 16"),
        (["tiny_4x1", "--lanes", "2"], "lanes: no such field;"),
        (["tiny_4x1", "--name", "module"], "name: 'module' is a reserved word of Verilog"),
        (["tiny_4x1", "--kind", "npu"], "tiny_4x1: is of kind macro, not npu; omit --kind"),
        (["npu_tiny", "--wrapper", "axi"],
         "--wrapper: protocol: must be one of 'none', 'axi-stream', 'axi-lite', 'uart', not 'axi'"),
        (["npu_tiny", "--wrapper", "axi-lite", "--fifo-depth", "1"],
         "--wrapper: fifo_depth: must be at least 2 and at most 1024, not 1"),
        (["npu_tiny", "--wrapper", "uart", "--clock-hz", "25000000", "--baud", "3000000"],
         "8 cycles a bit are 4.2 % off, and 1 % is allowed; the clock divides to 2777777 or"),
        (["npu_tiny", "--wrapper", "uart", "--clock-hz", "5000000"],
         "a bit must take at least 6 cycles of the clock; 833333 baud is the most"),
        (["npu_tiny", "--baud", "9600"], "baud is of the wrapper uart alone"),
        (["npu_tiny", "--fifo-depth", "8"], "and the wrapper is none; leave it out"),
        (["tiny_4x1", "--wrapper", "axi-stream"], "the wrapper axi-stream is for an NPU"),
        (["--kind", "macro", "--rows", "4"], "macro: columns: is required: an integer"),
        (["--kind", "cpu", "--rows", "4"], "kind must be one of macro, npu, not 'cpu'"),
    ],
)
def test_generate_refuses(words, message, error_of, tmp_path):
    assert message in error_of("generate", *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no fields"),
        ("macro: [", "line 1, column"),
        ("- macro", "must hold 'macro:' or 'npu:' and nothing else at the top"),
        ("rows: 4\n", "must hold 'macro:' or 'npu:' and nothing else at the top"),
        ("macro: {rows: 4, columns: 2}\nnpu: {}\n", "not 'macro', 'npu'"),
        ("macro:\n", "macro: must be a mapping with the fields"),
        ("macro: 7\n", "macro: must be a mapping with the fields"),
        ("macro: {rows: 4, colums: 2}\n", "colums: no such field; did you mean 'columns'?"),
        ("macro: {rows: 4, columns: 2, name: ../x}\n", "name: must be text, of the form"),
    ],
)
def test_generate_refuses_a_file(text, message, error_of, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    found = error_of("generate", path)
    assert found.startswith(f"{path}")
    assert message in found
    assert list(tmp_path.iterdir()) == [path]


def test_every_fault_of_a_file_has_its_line(error_of, tmp_path):
    (tmp_path / "mine.yaml").write_text("macro: {rows: 0, columns: 0}\n")
    found = error_of("generate", "mine.yaml")
    assert re.findall(r"mine.yaml: macro: (\w+): must", found) == ["rows", "columns"]
    assert found.count("error: ") == 1  # the first is cut off by error_of


def test_an_unknown_command(tmp_path):
    result = run("generat", directory=tmp_path)
    assert result.returncode == 2
    assert "No such command 'generat'" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "taken").write_text("")
    result = run("generate", "tiny_4x1", "-o", "taken/deep", directory=tmp_path)
    message = "taken/deep: cannot be written: Not a directory; choose another directory"
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"error: {message}\n"


def test_a_full_disk_under_the_output(tmp_path):
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*COMMAND, "presets"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (result.returncode, result.stderr) == (2, "error: No space left on device\n")


@pytest.mark.parametrize("words", [["presets"], ["--help"], ["generate", "tiny_4x1"]])
def test_a_reader_that_leaves_is_no_error(words, tmp_path):
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *words], stdout=pipe, stderr=pipe, cwd=tmp_path) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""


def test_interruption(tmp_path):
    # Ctrl-C amid elaboration, when much is made and little of it used.
    code = (
        "import cimple.hdl.stamp as stamp\n"
        "from amaranth.hdl import Fragment, Module\n"
        "from cimple.host.cli import main\n"
        "kept = []\n"
        "def interrupt(component, name, library):\n"
        "    Fragment.get(Module(), None)\n"
        "    kept.append(component.elaborate(library))\n"
        "    raise KeyboardInterrupt\n"
        "stamp.to_rtlil = interrupt\n"
        "main(['generate', 'conv_72x16'])\n"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_is_named(monkeypatch, capsys):
    def load(self):
        raise ModuleNotFoundError("No module named 'cocotb'", name="cocotb.runner")

    monkeypatch.setattr(Command, "load", load)
    with pytest.raises(SystemExit) as stop:
        cli.main(["verify", "mine.yaml"])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said == "error: cimple verify needs the extra 'sim': pip install 'cimple[sim]'\n"


def test_a_module_of_our_own_is_no_extra(monkeypatch):
    def load(self):
        raise ModuleNotFoundError("No module named 'cimple.x'", name="cimple.x")

    monkeypatch.setattr(Command, "load", load)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["verify", "mine.yaml"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself(command, tmp_path):
    result = run(command.name, "--help", directory=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"Usage: cimple {command.name}" in result.stdout
