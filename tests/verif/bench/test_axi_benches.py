# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The benches of the wrappers on generated Verilog, under both simulators.

CIMPLE_TEST_SEED chooses other stimuli.
"""

import os

import pytest

from cimple.hdl.errors import CimpleError, ConfigError
from cimple.hdl.generate import generate
from cimple.hdl.link import Protocol, WrapperConfig
from cimple.hdl.load import load_config
from cimple.hdl.macro import MacroConfig
from cimple.verif.bench import verify as module
from cimple.verif.bench.build import build_bench
from cimple.verif.bench.run import run_bench
from cimple.verif.bench.simulators import SIMULATORS, find_simulator
from cimple.verif.bench.verify import bench_of, variables_of, verify
from tests.verif.bench.verdicts import assert_all_passed

SEED = int(os.environ.get("CIMPLE_TEST_SEED", "1"))

CASES = {Protocol.AXI_STREAM: 8, Protocol.AXI_LITE: 13}


@pytest.mark.parametrize("protocol", CASES)
def test_an_npu_behind_axi(protocol: Protocol) -> None:
    wrapper = WrapperConfig(protocol=protocol)
    result = verify(load_config("npu_tiny"), SIMULATORS, [SEED], timeout=240, wrapper=wrapper)
    assert_all_passed(result, cases=CASES[protocol])
    assert result.name == f"npu_tiny_{protocol.value.replace('-', '_')}"


def test_the_smallest_fifos() -> None:
    wrapper = WrapperConfig(protocol=Protocol.AXI_LITE, fifo_depth=2)
    result = verify(load_config("npu_tiny"), ["verilator"], [SEED], timeout=240, wrapper=wrapper)
    assert_all_passed(result, cases=CASES[Protocol.AXI_LITE])


def test_an_npu_behind_a_serial_line() -> None:
    """All of it under one simulator; the other one takes minutes for what takes no long pauses."""
    wrapper = WrapperConfig(protocol=Protocol.UART, clock_hz=8_000_000, buffer_words=128)
    result = verify(load_config("npu_tiny"), ["verilator"], [SEED], timeout=240, wrapper=wrapper)
    assert_all_passed(result, cases=14)
    assert result.name == "npu_tiny_uart"


def test_the_serial_line_under_the_other_simulator() -> None:
    wrapper = WrapperConfig(protocol=Protocol.UART, clock_hz=6_000_000, buffer_words=128)
    config, simulator = load_config("npu_tiny"), find_simulator("icarus")
    design = generate(config, wrapper)
    build = build_bench(design.verilog, design.name, simulator)
    run = run_bench(
        build, design.name, simulator, bench_of(config, wrapper), config, seed=SEED, timeout=240,
        only="repeated_frames|words_without_a_session", variables=variables_of(wrapper),
    )
    assert [case.outcome for case in run.cases] == ["passed"] * 2, run.cases


def test_a_macro_has_no_wrapper() -> None:
    with pytest.raises(ConfigError, match="is for an NPU"):
        verify(
            MacroConfig(rows=4, columns=1), ["icarus"], [1],
            wrapper=WrapperConfig(protocol=Protocol.AXI_LITE),
        )


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(CimpleError, match=r"cocotbext-axi: pip install 'cimple\[axi\]'"):
        bench_of(load_config("npu_tiny"), WrapperConfig(protocol=Protocol.AXI_STREAM))
