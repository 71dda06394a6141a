# SPDX-License-Identifier: Apache-2.0
"""The configurations of the recorded proofs."""

from typing import Any

from ...hdl.macro.config import Cell, MacroConfig, Storage, Table, Target, Tree

__all__ = ["SMALL"]


def _small(name: str, **fields: Any) -> MacroConfig:
    return MacroConfig(**{"name": name, "rows": 3, "columns": 2, "weight_bits": 4,
                          "input_bits": 3, **fields})


#: The configurations of the recorded proofs: small, as what is proven is the same for all sizes.
SMALL: dict[str, MacroConfig] = {
    each.name: each
    for each in (
        _small("bitcell", cell=Cell.BITCELL),
        _small("bitcell_banks", cell=Cell.BITCELL, banks=2, accumulations=2, pipeline=2),
        _small("latch", cell=Cell.BITCELL, storage=Storage.LATCH, banks=2, bits_per_cycle=2,
               skip_zero_planes=True),
        _small("lutram", rows=9, cell=Cell.BITCELL, storage=Storage.LUTRAM, banks=16,
               tree=Tree.CARRY_SAVE, pipeline=2),
        _small("fused_pairs", cell=Cell.BITCELL, fusion=2, pipeline=2, target=Target.ECP5,
               output_buffer=1),
        _small("fused_quads", columns=4, weight_bits=2, input_bits=4, cell=Cell.BITCELL, fusion=4,
               bits_per_cycle=4, accumulations=2, broadcast_registers=1),
        _small("lookup", cell=Cell.LOOKUP, accumulations=2, output_buffer=1),
        _small("lookup_banks", rows=4, cell=Cell.LOOKUP, banks=4, skip_zero_planes=True,
               broadcast_registers=1),
        _small("lookup_halves", rows=4, cell=Cell.LOOKUP, banks=2),
        _small("blockram", columns=1, weight_bits=1, cell=Cell.LOOKUP, table=Table.BLOCKRAM,
               banks=8, target=Target.ICE40),
        _small("rom", rows=9, cell=Cell.ROM, tree=Tree.CARRY_SAVE, weights_seed=1),
        _small("rom_ice40", rows=5, cell=Cell.ROM, weights_seed=1, target=Target.ICE40),
        _small("near", cell=Cell.NEAR, banks=2, broadcast_registers=1),
        _small("summed_rows", rows=2, weight_bits=2, cell=Cell.BITCELL, target=Target.ICE40),
        _small("tree", rows=5, columns=1, cell=Cell.BITCELL),
        _small("tree_pipeline", rows=5, columns=1, cell=Cell.BITCELL, pipeline=2),
        _small("tree_carry_save", rows=5, columns=1, cell=Cell.BITCELL, tree=Tree.CARRY_SAVE),
        _small("product_bitcell", rows=2, columns=1, input_bits=2, cell=Cell.BITCELL, banks=2,
               accumulations=2),
        _small("product_fused", rows=2, weight_bits=2, input_bits=2, cell=Cell.BITCELL, fusion=2),
        _small("product_planes", rows=2, columns=1, weight_bits=2, input_bits=2, cell=Cell.BITCELL,
               bits_per_cycle=2),
        _small("product_skip", rows=2, columns=1, weight_bits=2, input_bits=2, cell=Cell.ROM,
               weights=((-2,), (1,)), skip_zero_planes=True),
        _small("product_near", rows=2, columns=1, weight_bits=2, input_bits=2, cell=Cell.NEAR),
        _small("product_lookup", rows=2, columns=1, input_bits=1, cell=Cell.LOOKUP, banks=4,
               broadcast_registers=1),
    )
}
