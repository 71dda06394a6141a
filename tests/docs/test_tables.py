# SPDX-License-Identifier: Apache-2.0
"""The manual's tables hold everything that the code knows, and pages show all tables."""

import enum
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from manual import DOCS, extension, pages

from cimple.compiler.onnx_file import SUPPORTED
from cimple.compiler.tflite_operators import BUILDERS
from cimple.fpga.cost import Cost, to_cost_record
from cimple.fpga.families import FAMILIES
from cimple.fpga.nextpnr import CriticalPath
from cimple.fpga.place import Placement
from cimple.fpga.resources import Resources
from cimple.hdl.config import Config, ConfigError, field_table
from cimple.hdl.link.register_map import REGISTERS
from cimple.hdl.load import load_config, preset_files
from cimple.hdl.macro.config import LEGAL, Cell, MacroConfig, Storage, Table, Target, Tree
from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.isa import FIELDS, WORDS, Opcode, Queue
from cimple.hdl.npu.packets import IDENTITY_WORDS, Counter, Memory, Request, Status
from cimple.verif.bench.verify import BENCHES, EXTERNAL_BENCHES, WRAPPER_BENCHES
from cimple.verif.formal.properties import PROPERTIES, SMALL

fragments = extension("cimple_tables").FRAGMENTS
bench_tables = extension("bench_tables")
cost_tables = extension("cost_tables")
enum_docs = extension("enum_docs")
isa_tables = extension("isa_tables")
rate_tables = extension("rate_tables")
waves = extension("waves")


def rows_of(text: str) -> list[list[str]]:
    """The cells of every row of every table, headings left out."""
    rows = [re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in text.splitlines() if "|" in line]
    return [row for row in rows if row and not row[0].startswith("---")]


def first_cells(fragment: str) -> list[str]:
    return [row[0].strip("`") for row in rows_of(fragments[fragment]())]


@pytest.mark.parametrize(
    ("fragment", "members"),
    [
        ("requests.md", Request),
        ("statuses.md", Status),
        ("memory_map.md", Memory),
        ("counters.md", Counter),
        ("opcodes.md", Opcode),
    ],
)
def test_every_member_has_a_row_with_a_meaning(
    fragment: str, members: Iterable[enum.IntEnum]
) -> None:
    rows = {row[0]: row[1:] for row in rows_of(fragments[fragment]())}
    for member in members:
        assert all(rows[f"`{member.name}`"]), member
    assert len(rows) == len(list(members)) + 1


@pytest.mark.parametrize(
    ("fragment", "kind"), [("macro_fields.md", MacroConfig), ("npu_fields.md", NpuConfig)]
)
def test_every_field_of_a_configuration(fragment: str, kind: type[Config]) -> None:
    assert first_cells(fragment)[1:] == [row.name for row in field_table(kind)]
    assert all(row[-1] for row in rows_of(fragments[fragment]()))


def combinations() -> list[tuple[str, list[str]]]:
    """Of the table of legal values: the field of each row, and its cells."""
    rows = rows_of(fragments["cells.md"]())
    heading = ["Field", *(f"`{cell.value}`" for cell in Cell)]
    return [(row[0].strip("`"), row[1:]) for row in rows[rows.index(heading) + 1 :]]


def test_every_legal_combination_of_cell_and_value() -> None:
    """What the table says is accepted, and what it leaves out is refused."""
    table = dict(combinations())
    assert set(table) == {field for limits in LEGAL.values() for field in limits.values}
    base = MacroConfig(rows=4, columns=4, weight_bits=4, input_bits=16)
    seen = {True: 0, False: 0}
    for field, columns in table.items():
        everything = set(", ".join(columns).split(", "))
        for cell, text in zip(Cell, columns, strict=True):
            for shown in everything:
                fields = {"cell": cell, field: yaml_value(shown)}
                # Only LUT-RAM has room for 16 banks.
                if cell is Cell.BITCELL and shown == "`16`" and field == "banks":
                    fields["storage"] = Storage.LUTRAM
                legal = shown in text.split(", ")
                seen[legal] += 1
                if legal:
                    base.replace(**fields)
                else:
                    with pytest.raises(ConfigError):
                        base.replace(**fields)
    assert min(seen.values()) > 20


def yaml_value(shown: str) -> Any:
    text = shown.strip("`")
    return {"true": True, "false": False}.get(text, int(text) if text.isdigit() else text)


def test_every_limit_of_a_cell_has_a_reason_in_the_manual() -> None:
    rows = rows_of(fragments["cell_limits.md"]())
    for cell, limits in LEGAL.items():
        for field, reason in limits.reasons.items():
            assert not reason or [f"`{cell.value}`", f"`{field}`", reason] in rows


@pytest.mark.parametrize("kind", [Storage, Table, Tree, Target])
def test_every_choice_has_a_meaning(kind: type[enum.Enum]) -> None:
    rows = rows_of(fragments["choices.md"]())
    meanings = {row[1].strip("`"): row[2] for row in rows if row[0] == f"`{kind.__name__.lower()}`"}
    assert set(meanings) == {member.value for member in kind}


@pytest.mark.parametrize("kind", [MacroConfig, NpuConfig])
def test_every_preset(kind: type[Config]) -> None:
    names = {name for name in preset_files() if isinstance(load_config(name), kind)}
    table = "macro_presets.md" if kind is MacroConfig else "npu_presets.md"
    assert set(first_cells(table)[1:]) == names


@pytest.mark.parametrize("opcode", Opcode)
def test_every_field_of_a_descriptor(opcode: Opcode) -> None:
    section = isa_tables.descriptors().partition(f"### {opcode.name} (")[2].partition("\n(desc")[0]
    drawing, _, table = section.partition("| Field |")
    rows = {row[0].strip("`"): row[1:] for row in rows_of(table)}
    for field in FIELDS[opcode]:
        high = field.low + field.bits - 1
        bits = f"{high}:{field.low}" if field.bits > 1 else str(high)
        assert rows[field.name][:2] == [str(field.word), bits]
        assert drawn_bits(drawing, field.word)[field.name] == bits
    assert set(range(WORDS)) == drawn_words(drawing)


def drawn_bits(drawing: str, word: int) -> dict[str, str]:
    """Bits by name in the two lines of a word."""
    lines = drawing.splitlines()
    index = next(i for i, line in enumerate(lines) if line.startswith(f"word {word} "))
    bits, names = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines[index:][:2])
    covered = sum(int(b.partition(":")[0]) - int(b.rpartition(":")[2]) + 1 for b in bits)
    assert covered == 32
    return dict(zip(names, bits, strict=True))


def drawn_words(drawing: str) -> set[int]:
    """Words that are drawn, or said to be zero."""
    words = {int(number) for number in re.findall(r"^word (\d+)", drawing, re.MULTILINE)}
    empty = re.search(r"^words ([\d, ]+): 0$", drawing, re.MULTILINE)
    return words | {int(number) for number in empty[1].split(",")} if empty else words


def test_every_word_of_the_identity() -> None:
    assert first_cells("identity.md")[1:] == [str(n + 1) for n in range(IDENTITY_WORDS)]


def test_every_register_and_every_field() -> None:
    rows = rows_of(fragments["registers.md"]())[1:]
    assert [row[1].strip("`") for row in rows] == [register.name for register in REGISTERS]
    assert all(all(row) for row in rows)
    rows = rows_of(fragments["register_fields.md"]())[1:]
    fields = [(each.name, field.name) for each in REGISTERS for field in each.fields]
    assert [(row[0].strip("`"), row[1].strip("`")) for row in rows] == fields
    assert ["`STATUS`", "`COMMAND_SPACE`", "19:8"] in [row[:3] for row in rows]


def test_every_block_states_its_pace() -> None:
    rows = {row[0]: row[1:] for row in rows_of(fragments["rates.md"]())}
    for name, module, cls in rate_tables.BLOCKS:
        said = rate_tables.said_of(module, cls)
        assert rows[name][0], name
        assert all(fact.endswith(".") and "Cost" not in fact for fact in said.values()), said
    source = (DOCS.parent / "hdl" / "npu" / "front_door.py").read_text(encoding="utf-8")
    assert rows["front door"][0].partition(",")[0] in source


def test_every_operator() -> None:
    assert first_cells("operators.md")[1:] == list(SUPPORTED)
    assert first_cells("tflite_operators.md")[1:] == list(BUILDERS)


def test_queues_are_named_with_their_bits() -> None:
    text = fragments["opcodes.md"]()
    assert all(f"{queue.name} is bit {int(queue)}" in text for queue in Queue)


def test_every_case_of_the_benches() -> None:
    text = fragments["bench_cases.md"]()
    wrappers = {module.removesuffix("_bench"): module for module in WRAPPER_BENCHES.values()}
    external = {module.removesuffix("_bench"): module for module in EXTERNAL_BENCHES.values()}
    for kind, module in (BENCHES | wrappers | external).items():
        # Cases lie in the bench and in modules beside it, which are named after the same kind.
        sources = (DOCS.parent / "verif" / "bench").glob(f"{kind}_*.py")
        text_of_all = "".join(path.read_text(encoding="utf-8") for path in sources)
        cases = list(bench_tables.cases_of(module))
        assert len(cases) == len(re.findall(r"^@bench_case", text_of_all, re.MULTILINE)) > 0, kind
        assert all(meaning and f"`{name}`" in text for name, meaning in cases)


def test_every_property_that_is_proven() -> None:
    rows = {row[0].strip("`"): row[1:] for row in rows_of(fragments["proof_properties.md"]())}
    sizes = first_cells("proof_sizes.md")[1:]
    assert sizes == list(SMALL)
    for each in PROPERTIES:
        assert all(rows[each.name])
        assert ("runs of any length" in rows[each.name][2]) == (each.method == "induction")
        assert set(rows[each.name][3].replace("`", "").split(", ")) == {
            *each.sizes, *each.longer
        }
    assert first_cells("proof_limits.md")[1:] == [each.name for each in PROPERTIES]
    assert {size for each in PROPERTIES for size in (*each.sizes, *each.longer)} == set(sizes)


def test_costs_of_a_mac_come_from_the_record(tmp_path: Path) -> None:
    # 4 x 2 weights of 8 bits: 64 binary operations a cycle, so one MAC in 640 sites.
    cells = dict.fromkeys((count.name for count in FAMILIES["ecp5"].counts), 0)
    found = Resources(cells | {"LUT4": 640, "DP16KD": 3}, "0.70", 64, "ecp5", "1234")
    path = CriticalPath("a", "b", 2.0, 4.5)
    placed = Placement("some part", "0.11", (150.0, 170.0, 160.0), {}, path)
    few = dict.fromkeys((count.name for count in FAMILIES["ice40"].counts), 1)
    ice40 = replace(found, cells=few, family="ice40")
    record = tmp_path / "macro_cost.json"
    costs = [Cost("mine", found, placed), Cost("not_placed", found), Cost("small", ice40, placed)]
    record.write_text(json.dumps(to_cost_record(costs)))
    heading, row = rows_of(cost_tables.macro_costs(record))
    assert row == ["`mine`", "640", "3", "160", "0.25"]
    assert len(heading) == len(row)


def test_comments_belong_to_the_member_below_them() -> None:
    docs = enum_docs.member_docs(Status)
    assert list(docs) == [member.name for member in Status]
    assert docs["OK"] == ""
    assert docs["BAD_COUNT"].startswith("A count of zero")


@pytest.mark.parametrize("bits", [1, 3, 4])
def test_waves_show_the_latency_of_the_formula(bits: int) -> None:
    vector = {"data": [1, 0, 1, 0], "top_plane": bits - 1, "signed": 0, "bank": 0, "first": 1,
              "last": 1}
    trace = waves.record({"i": [vector]}, cycles=12)
    valid = [sample["o.valid"] for sample in trace]
    assert valid.index(1) == waves.EXAMPLE.vector_latency(bits)
    assert trace[valid.index(1)]["o.payload[0]"] == waves.WEIGHTS[0] + waves.WEIGHTS[2]


def test_every_fragment_is_on_a_page() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages())
    included = set(re.findall(r"_generated/([\w.]+)", text))
    assert included == set(fragments)


def test_fragments_are_written_once(tmp_path: Path) -> None:
    write = extension("cimple_tables").write_fragments
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(fragments)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    changed = tmp_path / "cells.md"
    changed.write_text("stale", encoding="utf-8")
    write(tmp_path)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert changed.read_text(encoding="utf-8") == fragments["cells.md"]()
    assert {path for path in after if after[path] != before[path]} == {changed}
