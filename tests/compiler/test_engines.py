# SPDX-License-Identifier: Apache-2.0
"""Depthwise layers on the array: the same bytes, in as many cycles as the cycle model says."""

from pathlib import Path

import numpy as np
import pytest

from cimple.compiler.compile import Compiled, compile_network, read_network
from cimple.compiler.engines import array_form, engine_choices
from cimple.compiler.layers import DepthwiseLayer, MatrixLayer, Network
from cimple.compiler.legalise import legalise
from cimple.compiler.single import layer_program
from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.isa import Opcode
from cimple.host.client import NpuClient
from cimple.host.devices.golden import GoldenDevice
from cimple.host.layers import run_alone
from cimple.verif.timing.npu import predict
from tests.compiler.networks import npu
from tests.compiler.test_tflite_networks import check
from tests.compiler.tflite_networks import SAME, VALID, TfliteBuilder

#: Several windows at once, and two lanes: depthwise layers of few channels belong on the array.
MACROS = npu(rows=36, columns=4, macros=4, lanes=2, activation_port=16, descriptors=256)


def network_of(builder: TfliteBuilder, directory: Path) -> Network:
    return legalise(read_network(builder.save(directory / "net.tflite")))


def compiled(builder: TfliteBuilder, config: NpuConfig, directory: Path) -> Compiled:
    return compile_network(builder.save(directory / "net.tflite"), config)


def on_array(network: Network) -> list[str]:
    """Names of depthwise layers that are there."""
    return [
        layer.name for layer in network.layers
        if isinstance(layer, MatrixLayer) and layer.groups > 1
    ]


@pytest.mark.parametrize("dilations", [(1, 1), (2, 1), (1, 3), (2, 2)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
@pytest.mark.parametrize("padding", [SAME, VALID])
def test_both_forms_make_the_same_bytes(
    dilations: tuple[int, int], strides: tuple[int, int], padding: int, tmp_path: Path
) -> None:
    builder = TfliteBuilder([9, 8, 5], 3).depthwise((3, 2), strides, padding, dilations=dilations)
    network = network_of(builder, tmp_path)
    (layer,) = network.layers
    assert isinstance(layer, DepthwiseLayer)
    form = array_form(layer)
    assert form.macs == layer.macs
    image = np.random.default_rng(1).integers(-128, 128, layer.source.size).astype(np.int8)
    found = []
    with GoldenDevice(MACROS) as device:
        for each in (layer, form):
            program = layer_program(each, network, MACROS)
            kinds = {descriptor.opcode for descriptor in program.descriptors}
            assert (Opcode.DEPTHWISE in kinds) == (each is layer)
            assert (Opcode.COMPUTE in kinds) == (each is form)
            run = run_alone(NpuClient(device), program, {layer.source.name: image})
            found.append(run.result)
    np.testing.assert_array_equal(*found)
    assert len(np.unique(found[0])) > 20


def test_the_faster_form_is_chosen(tmp_path: Path) -> None:
    """6 taps of 8 x 8 pixels are 768 cycles on two lanes of 4 channels, and 384 on four; one macro
    takes 512."""
    builder = TfliteBuilder([8, 8, 4], 4).depthwise((3, 2), padding=SAME)
    fast = compiled(builder, MACROS, tmp_path)
    assert [layer.bound_by for layer in fast.report.layers] == ["feeder"]
    assert (fast.report.cycles or 0) < 384
    alone = compiled(builder, MACROS.replace(macros=1, lanes=4), tmp_path)
    assert [layer.bound_by for layer in alone.report.layers] == ["taps"]


def test_what_is_chosen_has_the_fewest_cycles_by_itself(tmp_path: Path) -> None:
    """Whatever bounds say: with each number of channels the cycle model's winner."""
    config = MACROS.replace(lanes=4)
    winners = set()
    for channels in range(2, 9):
        network = network_of(
            TfliteBuilder([6, 7, channels], 4).depthwise((3, 3)), tmp_path
        )
        (layer,) = network.layers
        assert isinstance(layer, DepthwiseLayer)
        times = [
            predict(config, layer_program(each, network, config).descriptors).cycles
            for each in (layer, array_form(layer))
        ]
        chosen = bool(on_array(next(engine_choices(network, config))))
        assert chosen == (times[1] < times[0])
        winners.add(chosen)
    assert winners == {False, True}


def test_a_kernel_of_more_taps_than_the_lanes_hold(tmp_path: Path) -> None:
    """7 x 7 taps, of which `taps` of the NPU are 16."""
    builder = TfliteBuilder([9, 9, 3], 5).depthwise((7, 7), padding=SAME).conv(4, (1, 1))
    found = compiled(builder, MACROS, tmp_path)
    assert all(each.opcode is not Opcode.DEPTHWISE for each in found.descriptors)
    for name in ("tiny", "one column", "four macros"):
        check(builder, name, tmp_path / "net.tflite")


def two_layers() -> TfliteBuilder:
    """The first one has four times as many windows, and gains so much more on the array."""
    return TfliteBuilder([12, 12, 4], 6).depthwise((3, 3), (2, 2), SAME).depthwise((3, 3))


def test_what_gains_least_is_given_up_first(tmp_path: Path) -> None:
    network = network_of(two_layers(), tmp_path)
    names = [layer.name for layer in network.layers]
    choices = list(engine_choices(network, MACROS))
    assert [on_array(each) for each in choices] == [names, names[:1], []]


@pytest.mark.parametrize(("sets", "moved"), [(2, 2), (1, 1), (0, 0)])
def test_weights_that_do_not_fit_leave_layers_to_the_lanes(
    sets: int, moved: int, tmp_path: Path
) -> None:
    """Of words of 8 bytes a layer takes 36 on the array, a row each, and 2 x 9 on the lanes."""
    config = MACROS.replace(weight_bytes=8 * (sets * 36 + (2 - sets) * 18))
    found = compiled(two_layers(), config, tmp_path)
    assert [layer.windows > 0 for layer in found.report.layers] == [True] * moved + [False] * (
        2 - moved
    )


def test_layers_on_the_array_fetch_nothing_that_was_there_before(tmp_path: Path) -> None:
    """With external memory everything fits, but every image would wait for it."""
    config = MACROS.replace(weight_bytes=432, external_port=4)
    found = compiled(two_layers(), config, tmp_path)
    assert not found.external
    assert [layer.windows > 0 for layer in found.report.layers] == [True, False]
