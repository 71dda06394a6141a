# SPDX-License-Identifier: Apache-2.0
"""From a step to the fields of its descriptors: loops and addresses, all but banks and tokens."""

from collections.abc import Iterator, Mapping

from ..hdl.npu.config import NpuConfig
from ..hdl.npu.isa import Opcode
from .errors import ModelError
from .layers import (
    AddLayer,
    Area,
    AverageLayer,
    DepthwiseLayer,
    Layer,
    MatrixLayer,
    PoolLayer,
    WindowLayer,
)
from .parameters import ParameterTable
from .schedule import DepthwiseStep, MatrixStep, WeightSet
from .tiling import Channels, macro_parts, row_phases

__all__ = ["DescriptorFields", "Values", "load_weights"]

#: How far from an image's first byte or row a window may reach (`hdl.npu.isa`).
REACH = 1 << 17

#: Fields of a descriptor by name.
Values = dict[str, int]


def load_weights(weights: WeightSet, place: tuple[int, int], config: NpuConfig) -> Values:
    """Of the LOAD_WEIGHTS that brings a set which has its place.

    Row groups go in turn to the macros of a window that have channels, and to those of all windows
    of a round: each macro of them gets what the one in the same place of the first window gets.
    """
    groups, address = place
    values = {"address": address, "group": 0, "groups": groups}
    if config.macros > 1:
        values["macros"] = sum(
            1 << config.macros_of(window, weights.split)[0]
            for window in range(1 << weights.split)
        )
        values["parts"] = len(macro_parts(weights.channels, config))
    return values


class DescriptorFields:
    """Fields of descriptors, for images and parameters that have their places.

    `skip_zero_planes` is that of every COMPUTE. All methods raise ModelError for windows that reach
    too far from their image.
    """

    def __init__(
        self, addresses: Mapping[str, int], parameters: ParameterTable, *, skip_zero_planes: bool
    ) -> None:
        self._addresses = addresses
        self._parameters = parameters
        self._skipping = {"skip_zero_planes": 1} if skip_zero_planes else {}

    def compute(self, layer: MatrixLayer, step: MatrixStep) -> Values:
        """Of a COMPUTE."""
        area, rows = step.area, step.weights.rows
        column, within = divmod(rows.first, layer.column_bytes)
        row, skip = divmod(within, layer.run_bytes)
        return {
            **self._windows(layer, area, kernel_row=row, kernel_column=column),
            "run_bytes": layer.run_bytes,
            "skip": skip,
            "depth": rows.depth,
            "zero_point": layer.source.quantisation.zero_point,
            **_split(step),
            **self._skipping,
        }

    def requantise(self, layer: MatrixLayer, step: MatrixStep) -> Values:
        """Of the REQUANTISE behind it."""
        area, channels = step.area, step.weights.channels
        values = {
            "out_width": area.width,
            "out_height": area.height,
            "channels": channels.count,
            "channel": self._parameters.first(step.layer, channels),
            "add_partial": int(step.add_partial),
            "keep_partial": int(step.keep_partial),
            "rounding": layer.rounding,
            **_split(step),
        }
        if step.keep_partial:
            return values
        return values | self._results(layer, area, channels.first) | {
            "zero_point": layer.result.quantisation.zero_point,
        }

    def depthwise(self, layer: DepthwiseLayer, step: DepthwiseStep) -> Values:
        """Of the DEPTHWISE that makes a group of channels."""
        channels = step.weights.channels
        return {
            **self._pixel_windows(layer, step.area, channels),
            "padding": layer.source.quantisation.zero_point,
            "zero_point": layer.result.quantisation.zero_point,
            "rounding": layer.rounding,
            "channel": self._parameters.first(step.layer, channels),
        }

    def vector(self, layer: Layer) -> Iterator[tuple[Opcode, Values]]:
        """Of a layer that takes no weights, in order."""
        match layer:
            case PoolLayer():
                (area,) = row_phases(layer)
                yield Opcode.MAX_POOL, self._pixel_windows(layer, area, _all(layer))
            case AverageLayer():
                for area, parameters in layer.parts:
                    yield Opcode.AVERAGE_POOL, {
                        **self._pixel_windows(layer, area, _all(layer)),
                        "zero_point": layer.zero_point,
                        "rounding": layer.rounding,
                        "channel": self._parameters.uniform(parameters),
                    }
            case AddLayer():
                yield Opcode.ADD, self._add(layer)
            case _:
                raise AssertionError(f"{layer.label} takes weights")

    def _add(self, layer: AddLayer) -> Values:
        return {
            "start": self._addresses[layer.source.name],
            "other_start": self._addresses[layer.other.name],
            "bytes": layer.result.size,
            "out_start": self._addresses[layer.result.name],
            "clamp_low": layer.clamp[0],
            "clamp_high": layer.clamp[1],
            "zero_point": layer.result.quantisation.zero_point,
            "channel": self._parameters.uniform(*layer.parameters),
        }

    def _pixel_windows(self, layer: WindowLayer, area: Area, channels: Channels) -> Values:
        """Windows whose channels stay apart, and their results."""
        return {
            **self._windows(layer, area, first_channel=channels.first),
            **self._results(layer, area, channels.first),
            "pixel_bytes": layer.window.dilation_x * layer.source.channels,
            "kernel_width": layer.window.width,
            "kernel_height": layer.window.height,
            "channels": channels.count,
        }

    def _windows(
        self, layer: MatrixLayer | WindowLayer, area: Area, *, kernel_row: int = 0,
        kernel_column: int = 0, first_channel: int = 0,
    ) -> Values:
        """The windows of an area, from a tap of the kernel and a channel of the image on.

        All positions of rows count in the image that every `dilation_y` rows are.
        """
        window, image = layer.window, layer.source
        dilation = window.dilation_y
        first_row = area.y * window.stride_y - window.pad_top
        origin_y, phase = first_row // dilation + kernel_row, first_row % dilation
        step_y = area.rows_apart * window.stride_y
        pixel = area.x * window.stride_x - window.pad_left + kernel_column * window.dilation_x
        origin_x = pixel * image.channels + first_channel
        wide, tall = window.width * window.dilation_x, window.height * dilation
        last_x = (layer.result.width - 1) * window.stride_x - window.pad_left + wide
        last_y = (layer.result.height - 1) * window.stride_y - window.pad_top + tall
        if max(last_x * image.channels, last_y, -origin_x, -origin_y) > REACH:
            raise ModelError(
                f"{layer.label}: windows reach more than {REACH} bytes or rows from the image's "
                "start; use less padding or smaller images"
            )
        row = first_row + kernel_row * dilation
        start = self._addresses[image.name] + row * image.row_bytes + origin_x
        return {
            "start": start & 0xFFFFFFFF,
            "row_stride": dilation * image.row_bytes,
            "row_bytes": image.row_bytes,
            "origin_x": origin_x,
            "origin_y": origin_y,
            "height": max(0, -(-(image.height - phase) // dilation)),
            "step_x": window.stride_x * image.channels,
            "step_y": step_y // dilation,
            "row_step": step_y * image.row_bytes,
            "out_width": area.width,
            "out_height": area.height,
        }

    def _results(self, layer: MatrixLayer | WindowLayer, area: Area, channel: int) -> Values:
        """Where the results of an area go, from a channel on."""
        image = layer.result
        offset = area.y * image.row_bytes + area.x * image.channels + channel
        return {
            "out_start": self._addresses[image.name] + offset,
            "out_pixel_stride": image.channels,
            "out_row_stride": area.rows_apart * image.row_bytes,
            "clamp_low": layer.clamp[0],
            "clamp_high": layer.clamp[1],
        }


def _split(step: MatrixStep) -> Values:
    return {"split": step.weights.split} if step.weights.split else {}


def _all(layer: WindowLayer) -> Channels:
    return Channels(0, layer.source.channels)
