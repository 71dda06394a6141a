# SPDX-License-Identifier: Apache-2.0
"""Examples in the manual do what the manual says."""

import doctest
import gc
import warnings
from pathlib import Path

import pytest
from manual import ROOT, Block, blocks, extension

from cimple.hdl.errors import CimpleError
from cimple.hdl.load import load_config

PYTHON = list(blocks("python"))
WITH_PYTHON = sorted({block.page for block in PYTHON})


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.stem)
def test_python(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All Python of a page runs in one go, in a folder that looks like a checkout."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    found = [block for block in PYTHON if block.page == page]
    assert all(block.text.startswith(">>> ") for block in found), "no prompt"
    text = "\n".join(block.text for block in found)
    session = doctest.DocTestParser().get_doctest(text, {}, page.stem, str(page), 0)
    report: list[str] = []
    with warnings.catch_warnings():
        # Amaranth complains when a component goes that an example only looked at.
        warnings.simplefilter("ignore")
        result = doctest.DocTestRunner().run(session, out=report.append)
        gc.collect()
    assert result.attempted >= len(found)
    assert not result.failed, "".join(report)


def test_pages_with_python_are_found() -> None:
    assert {"macro", "packets", "numerics", "generate", "run-network"} <= {
        page.stem for page in WITH_PYTHON
    }


@pytest.mark.parametrize("block", list(blocks("yaml")), ids=str)
def test_yaml_is_a_configuration(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(block.text, encoding="utf-8")
    assert load_config(path).digest()


@pytest.mark.parametrize("seed", range(4))
def test_the_program_written_by_hand(seed: int) -> None:
    extension("listing").example().check(seed)


@pytest.mark.parametrize(
    ("number", "mask"), [(0, "signal"), (2, "wait"), (4, "signal"), (5, "wait")]
)
def test_its_tokens_are_all_needed(number: int, mask: str) -> None:
    example = extension("listing").example()
    descriptor = example.PROGRAM[number]
    values = {name: value for name, value in descriptor.values.items() if name != mask}
    example.PROGRAM[number] = type(descriptor)(descriptor.opcode, values)
    with pytest.raises(CimpleError, match=r"tokens left over|nothing orders them|comes to a stop"):
        example.check()
