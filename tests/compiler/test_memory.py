# SPDX-License-Identifier: Apache-2.0
"""The plan of the activation memory."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimple.compiler.errors import ModelError
from cimple.compiler.layers import Network, Window
from cimple.compiler.memory import Lifetime, lifetimes, plan_activations
from tests.compiler.layered import add_layer, chain, image, matrix_layer
from tests.compiler.networks import npu


def overlapping(network: Network, addresses: dict[str, int], *, keep_all: bool) -> list[str]:
    """Pairs of images that are needed at the same time in the same place."""
    spans = lifetimes(network, keep_all=keep_all)
    return [
        f"{one}, {other}"
        for one in spans
        for other in spans
        if one < other and spans[one].meets(spans[other])
        and addresses[one] < addresses[other] + spans[other].size
        and addresses[other] < addresses[one] + spans[one].size
    ]


def test_a_chain_takes_two_places() -> None:
    network = chain(5)
    addresses = plan_activations(network, npu())
    assert {addresses[f"y{index}"] for index in range(5)} == {0, 32}
    assert overlapping(network, addresses, keep_all=False) == []


def test_all_is_kept_if_wanted() -> None:
    network = chain(5)
    addresses = plan_activations(network, npu(), keep_all=True)
    assert sorted(addresses.values()) == [0, 32, 64, 96, 128, 160]


def test_lifetimes_of_a_fork() -> None:
    """An image lives until its last reader."""
    network = chain(3)
    first, second, third = network.layers
    forked = replace(network, layers=(first, second, replace(third, source=first.result)))
    spans = lifetimes(forked, keep_all=False)
    assert spans["x"] == Lifetime(32, -1, 0)
    assert spans["y0"] == Lifetime(32, 0, 2)
    assert spans["y1"] == Lifetime(32, 1, 1)
    assert spans["y2"] == Lifetime(32, 2, 3)


def test_an_addition_keeps_both_its_sources() -> None:
    """The image before the branch is needed until the branch has been added to it."""
    network = chain(3)
    added = add_layer(network.layers[2].result, network.layers[0].result)
    residual = replace(network, layers=(*network.layers, added), result=added.result)
    spans = lifetimes(residual, keep_all=False)
    assert spans["y0"] == Lifetime(32, 0, 3)
    assert spans["y2"] == Lifetime(32, 2, 3)
    addresses = plan_activations(residual, npu())
    assert overlapping(residual, addresses, keep_all=False) == []
    assert len({addresses[name] for name in ("y0", "y1", "y2")}) == 3


def test_sizes_are_whole_words() -> None:
    source = image("x", 1, 1, 5)
    layer = matrix_layer(source, 3, Window(1, 1))
    network = Network(source, layer.result, (layer,), {})
    assert {span.size for span in lifetimes(network, keep_all=False).values()} == {8, 4}
    assert all(a % 4 == 0 for a in plan_activations(network, npu()).values())


def test_a_view_lies_where_its_image_lies() -> None:
    network = chain(2)
    flat = replace(network.layers[0].result, name="flat")
    layers = (network.layers[0], replace(network.layers[1], source=flat))
    viewed = replace(network, layers=layers, views={"flat": "y0"})
    addresses = plan_activations(viewed, npu())
    assert addresses["flat"] == addresses["y0"]
    assert overlapping(viewed, addresses, keep_all=False) == []


def test_memory_that_just_fits() -> None:
    network = chain(4, size=8)
    plan_activations(network, npu(activation_bytes=256))
    with pytest.raises(ModelError) as caught:
        plan_activations(network, npu(activation_bytes=256), keep_all=True)
    assert str(caught.value) == (
        "the network's images need 640 bytes if all are kept (keep_all), the activation memory has "
        "256; raise activation_bytes of the NPU, or use smaller images or fewer channels"
    )


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=8))
def test_random_networks_never_overlap(shapes: list[tuple[int, int]]) -> None:
    source = image("x", 6, 6, 2)
    made = [source]
    layers = []
    for number, (outputs, back) in enumerate(shapes):
        last = made[max(0, len(made) - back)]
        layers.append(matrix_layer(last, outputs, Window(1, 1), name=f"layer{number}"))
        made.append(layers[-1].result)
    network = Network(source, made[-1], tuple(layers), {})
    for keep_all in (False, True):
        addresses = plan_activations(network, npu(), keep_all=keep_all)
        assert overlapping(network, addresses, keep_all=keep_all) == []
