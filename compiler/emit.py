# SPDX-License-Identifier: Apache-2.0
"""From the schedule to descriptors: loops, addresses, banks and tokens.

Order in the program: a COMPUTE, the REQUANTISE that takes its vectors, then the load that its end
makes room for. So a descriptor waits only for earlier ones, apart from a COMPUTE for its own
REQUANTISE, which comes next: the sequencer, which hands them out in order, never blocks for good.

Tokens: COMPUTE waits for LOAD once for every load; a load waits for COMPUTE if its bank was in use
before; the first COMPUTE of a layer waits for the VECTOR descriptor that finished its source.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..hdl.npu.config import NpuConfig
from ..hdl.npu.isa import Descriptor, DescriptorError, Opcode, Queue
from .errors import ModelError
from .layers import Layer, MatrixLayer, Network, PoolLayer, Window
from .parameters import ParameterTable
from .schedule import Load, MatrixStep, PoolStep, Schedule
from .weights import WeightImage

__all__ = ["Program", "emit"]

#: How far from an image's first byte or row a window may reach (`hdl.npu.isa`).
REACH = 1 << 17

_Values = dict[str, int]


@dataclass(frozen=True)
class Program:
    """Descriptors, the last one END, and the time stamp that each layer leaves, if it does."""

    descriptors: tuple[Descriptor, ...]
    stamps: Mapping[int, int]


@dataclass
class _Draft:
    """A descriptor whose tokens are not settled yet."""

    opcode: Opcode
    layer: int
    values: _Values = field(default_factory=dict)

    def token(self, what: str, queue: Queue) -> None:
        self.values[what] = self.values.get(what, 0) | 1 << queue


def emit(
    network: Network, plan: Schedule, addresses: Mapping[str, int], weights: WeightImage,
    parameters: ParameterTable, config: NpuConfig,
) -> Program:
    """The program of a network. Raises ModelError where a number does not fit its field."""
    emitter = _Emitter(network, plan, addresses, weights, parameters)
    emitter.run()
    emitter.order_layers()
    stamps = emitter.stamp(config.stamps)
    descriptors = [_settle(draft, network.layers) for draft in emitter.drafts]
    descriptors.append(Descriptor(Opcode.END, {}))
    if len(descriptors) > config.descriptors:
        raise ModelError(
            f"the program needs {len(descriptors)} descriptors, the NPU has {config.descriptors}; "
            "raise descriptors of the NPU, or partial_sum_words so that layers are cut less"
        )
    return Program(tuple(descriptors), stamps)


def _settle(draft: _Draft, layers: tuple[Layer, ...]) -> Descriptor:
    try:
        return Descriptor(draft.opcode, draft.values)
    except DescriptorError as error:
        raise ModelError(
            f"{layers[draft.layer].label}: too large for a descriptor: {error}; use smaller images "
            "or fewer channels"
        ) from None


class _Emitter:
    def __init__(
        self, network: Network, plan: Schedule, addresses: Mapping[str, int],
        weights: WeightImage, parameters: ParameterTable,
    ) -> None:
        self.network, self.plan, self.addresses = network, plan, addresses
        self.weights, self.parameters = weights, parameters
        self.drafts: list[_Draft] = []
        self.computes: dict[int, _Draft] = {}

    def run(self) -> None:
        """All descriptors, with the tokens between loads and computes."""
        loads = list(self.plan.loads)
        while loads and loads[0].after is None:
            self._load(loads.pop(0))
        for number, step in enumerate(self.plan.steps):
            if isinstance(step, PoolStep):
                self._pool(step)
                continue
            self._matrix(number, step)
            if loads and loads[0].after == number:
                self._load(loads.pop(0))
        assert not loads

    def order_layers(self) -> None:
        """Tokens from the end of each layer to the first COMPUTE that reads what it made."""
        last_vector: _Draft | None = None
        for draft in self.drafts:
            if draft.opcode in (Opcode.REQUANTISE, Opcode.MAX_POOL):
                last_vector = draft
            elif draft.opcode is Opcode.COMPUTE and last_vector and last_vector.layer < draft.layer:
                last_vector.token("signal", Queue.COMPUTE)
                draft.token("wait", Queue.VECTOR)

    def stamp(self, available: int) -> dict[int, int]:
        """Stamp the end of each layer, in order, while there are stamps."""
        last = {
            draft.layer: draft for draft in self.drafts
            if draft.opcode in (Opcode.REQUANTISE, Opcode.MAX_POOL)
        }
        stamps = {layer: index for index, layer in enumerate(sorted(last)[:available])}
        for layer, index in stamps.items():
            last[layer].values.update(stamp=1, stamp_index=index)
        return stamps

    def _load(self, load: Load) -> None:
        groups, address = self.weights.place(load.weights)
        draft = _Draft(
            Opcode.LOAD_WEIGHTS, load.weights.layer,
            {"address": address, "group": 0, "groups": groups, "bank": load.bank},
        )
        draft.token("signal", Queue.COMPUTE)
        if load.after is not None:
            draft.token("wait", Queue.COMPUTE)
            self.computes[load.after].token("signal", Queue.LOAD)
        self.drafts.append(draft)

    def _matrix(self, number: int, step: MatrixStep) -> None:
        layer = self.network.layers[step.layer]
        assert isinstance(layer, MatrixLayer)
        compute = _Draft(Opcode.COMPUTE, step.layer, self._compute_values(layer, step))
        compute.values["bank"] = self.plan.banks[number]
        if number in self.plan.fresh:
            compute.token("wait", Queue.LOAD)
        self.computes[number] = compute
        requantise = _Draft(Opcode.REQUANTISE, step.layer, self._requantise_values(layer, step))
        self.drafts += [compute, requantise]

    def _compute_values(self, layer: MatrixLayer, step: MatrixStep) -> _Values:
        area, rows = step.area, step.weights.rows
        row, skip = divmod(rows.first, layer.run_bytes)
        return {
            **_window_values(layer, self.addresses, area.y, area.x, row),
            "run_bytes": layer.run_bytes,
            "out_width": area.width,
            "out_height": area.height,
            "skip": skip,
            "depth": rows.depth,
            "zero_point": layer.source.quantisation.zero_point,
        }

    def _requantise_values(self, layer: MatrixLayer, step: MatrixStep) -> _Values:
        area, channels = step.area, step.weights.channels
        values = {
            "out_width": area.width,
            "out_height": area.height,
            "channels": channels.count,
            "channel": self.parameters.first(step.layer, channels),
            "add_partial": int(step.add_partial),
            "keep_partial": int(step.keep_partial),
            "rounding": layer.rounding,
        }
        if step.keep_partial:
            return values
        offset = area.y * layer.result.row_bytes + area.x * layer.result.channels + channels.first
        return values | _output_values(layer, self.addresses[layer.result.name] + offset) | {
            "zero_point": layer.result.quantisation.zero_point,
        }

    def _pool(self, step: PoolStep) -> None:
        layer = self.network.layers[step.layer]
        assert isinstance(layer, PoolLayer)
        values = {
            **_window_values(layer, self.addresses, 0, 0, 0),
            **_output_values(layer, self.addresses[layer.result.name]),
            "pixel_bytes": layer.source.channels,
            "out_width": layer.result.width,
            "out_height": layer.result.height,
            "kernel_width": layer.window.width,
            "kernel_height": layer.window.height,
            "channels": layer.source.channels,
        }
        self.drafts.append(_Draft(Opcode.MAX_POOL, step.layer, values))


def _window_values(
    layer: Layer, addresses: Mapping[str, int], y: int, x: int, kernel_row: int
) -> _Values:
    """The windows from result (y, x) on, from row `kernel_row` of the kernel on."""
    window: Window = layer.window
    image = layer.source
    origin_y = y * window.stride_y - window.pad_top + kernel_row
    origin_x = (x * window.stride_x - window.pad_left) * image.channels
    last_x = (layer.result.width - 1) * window.stride_x - window.pad_left + window.width
    last_y = (layer.result.height - 1) * window.stride_y - window.pad_top + window.height
    if max(last_x * image.channels, last_y, -origin_x, -origin_y) > REACH:
        raise ModelError(
            f"{layer.label}: windows reach more than {REACH} bytes or rows from the image's start; "
            "use less padding or smaller images"
        )
    start = addresses[image.name] + origin_y * image.row_bytes + origin_x
    return {
        "start": start & 0xFFFFFFFF,
        "row_stride": image.row_bytes,
        "row_bytes": image.row_bytes,
        "origin_x": origin_x,
        "origin_y": origin_y,
        "height": image.height,
        "step_x": window.stride_x * image.channels,
        "step_y": window.stride_y,
        "row_step": window.stride_y * image.row_bytes,
    }


def _output_values(layer: Layer, start: int) -> _Values:
    return {
        "out_start": start,
        "out_pixel_stride": layer.result.channels,
        "out_row_stride": layer.result.row_bytes,
        "clamp_low": layer.clamp[0],
        "clamp_high": layer.clamp[1],
    }
