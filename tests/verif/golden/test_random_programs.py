# SPDX-License-Identifier: Apache-2.0
"""Random programs on the golden model, in any order, against the naive one in program order."""

import numpy as np
import pytest

from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.isa import Opcode
from cimple.hdl.npu.packets import Memory
from cimple.verif.bench.programs import RandomProgram, parameters
from cimple.verif.bench.walks import Arena
from tests.oracles.npu import NaiveNpu
from tests.verif.golden.machine import CONFIGS, Machine


def filled(config: NpuConfig, seed: int, *, any_multiplier: bool) -> tuple[Machine, NaiveNpu]:
    """Both models with the same random contents."""
    random = np.random.default_rng([seed, 1])
    machine, naive = Machine(config, seed), NaiveNpu(config)
    activations = random.integers(-128, 128, config.activation_bytes).astype(np.int8)
    if config.macro.skip_zero_planes:
        # Stretches of bytes which have so many planes.
        planes = np.repeat(random.integers(0, 9, config.activation_bytes // 32), 32)
        activations = (random.integers(0, 1 << planes) - 128).astype(np.int8)
    weights = random.integers(-128, 128, config.weight_bytes).astype(np.int8)
    rows = parameters(
        random, config.channels, any_multiplier=any_multiplier, typical=2000.0 * config.macro.rows
    )
    machine.write(Memory.ACTIVATIONS, 0, activations)
    machine.write(Memory.WEIGHTS, 0, weights)
    machine.write(Memory.PARAMETERS, 0, rows)
    naive.activations, naive.weights = activations.tolist(), weights.tolist()
    naive.parameters = [(int(np.int32(b)), int(m), int(s)) for b, m, s, _ in rows.view(np.int32)]
    return machine, naive


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", CONFIGS)
def test_memories_end_alike(name: str, seed: int) -> None:
    config, any_multiplier = CONFIGS[name], seed % 2 == 1
    machine, naive = filled(config, seed, any_multiplier=any_multiplier)
    before = list(naive.activations)
    program = RandomProgram(
        config, np.random.default_rng(seed), activations=Arena(0, config.activation_bytes),
        weights=Arena(0, config.weight_bytes), channels=range(config.channels),
        any_multiplier=any_multiplier, vectors=100,
    )
    descriptors = program.builder.finish()
    machine.run(*descriptors[:-1])
    naive.run(descriptors[:-1])
    after = machine.read(Memory.ACTIVATIONS, 0, config.activation_bytes)
    assert after.tolist() == naive.activations
    for bank, weights in enumerate(naive.banks):
        for (row, column), weight in weights.items():
            macro, own = divmod(column, config.macro.columns)
            assert machine.model.macros[macro].weights[bank, row, own] == weight
    assert machine.model.planes == naive.planes
    assert {8} < {n for rounds in naive.planes for n in rounds} or not config.macro.skip_zero_planes
    assert naive.activations != before
    assert any(d.opcode is Opcode.REQUANTISE or config.macro.rows == 1 for d in descriptors)
