# SPDX-License-Identifier: Apache-2.0
"""Where each image lies in the activation memory: first fit over lifetimes, largest image first."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..hdl.npu.config import WORD_BYTES, NpuConfig
from .errors import ModelError
from .layers import Network

__all__ = ["Lifetime", "plan_activations", "lifetimes"]


@dataclass(frozen=True)
class Lifetime:
    """Bytes that are needed from layer `first` to layer `last`; -1 is before the first layer."""

    size: int
    first: int
    last: int

    def meets(self, other: "Lifetime") -> bool:
        """Whether there is a time at which both are needed."""
        return self.first <= other.last and other.first <= self.last


def lifetimes(network: Network, *, keep_all: bool) -> dict[str, Lifetime]:
    """Lifetime of every image that has bytes of its own, sizes in whole host words.

    The network's result lives to the end, so does everything with `keep_all`.
    """
    end = len(network.layers)
    spans = {network.source.name: Lifetime(_words(network.source.size), -1, -1)}
    for index, layer in enumerate(network.layers):
        spans[layer.result.name] = Lifetime(_words(layer.result.size), index, index)
        for source in layer.sources:
            used = network.storage(source)
            spans[used] = Lifetime(spans[used].size, spans[used].first, index)
    result = network.storage(network.result)
    for name in spans if keep_all else [result]:
        spans[name] = Lifetime(spans[name].size, spans[name].first, end)
    return spans


def plan_activations(
    network: Network, config: NpuConfig, *, keep_all: bool = False
) -> dict[str, int]:
    """Address of every image, views included.

    With `keep_all` no image is overwritten, so that all can be read after a run. Raises ModelError
    if they do not fit.
    """
    spans = lifetimes(network, keep_all=keep_all)
    placed = _first_fit(spans)
    needed = max(placed[name] + spans[name].size for name in spans)
    if needed > config.activation_bytes:
        kept = " if all are kept (keep_all)" if keep_all else ""
        raise ModelError(
            f"the network's images need {needed} bytes{kept}, the activation memory has "
            f"{config.activation_bytes}; raise activation_bytes of the NPU, or use smaller images "
            "or fewer channels"
        )
    addresses = dict(placed)
    images = [network.source, network.result]
    images += [source for layer in network.layers for source in layer.sources]
    for image in images:
        addresses[image.name] = placed[network.storage(image)]
    return addresses


def _first_fit(spans: Mapping[str, Lifetime]) -> dict[str, int]:
    """Lowest address for each, largest first, clear of those it meets that are placed already."""
    placed: dict[str, int] = {}
    for name, span in sorted(spans.items(), key=lambda item: (-item[1].size, item[1].first)):
        address = 0
        taken = sorted(
            (start, start + spans[other].size)
            for other, start in placed.items()
            if spans[other].meets(span)
        )
        for start, stop in taken:
            if address + span.size <= start:
                break
            address = max(address, stop)
        placed[name] = address
    return placed


def _words(size: int) -> int:
    """Bytes up to the next whole word, as the host reads and writes words."""
    return -(-size // WORD_BYTES) * WORD_BYTES
