# SPDX-License-Identifier: Apache-2.0
"""From the schedule to descriptors: their order in the program, banks, tokens and time stamps.

Weights that do not fit into the weight memory are fetched (`fetches`): each fetch stands before its
load or a few loads earlier, and behind the load that it waits for.

Order in the program: a step, then the load that its end makes room for. A step of the matrix engine
is a COMPUTE and the REQUANTISE that takes its vectors. So a descriptor waits only for earlier ones,
apart from a COMPUTE for its own REQUANTISE, which comes next: the sequencer, which hands them out
in order, never blocks for good. Of all descriptors that have not ended, the first one waits for
nothing but perhaps the REQUANTISE behind it, which no full queue keeps from its engine: what is in
front of it there is earlier, so it has ended.

Tokens: a load waits for the FETCH that brought its set, if one did, and a FETCH for the load whose
set it overwrites. Whatever computes with weights waits once for the LOAD that brought them: COMPUTE
for LOAD_WEIGHTS, DEPTHWISE for LOAD_TAPS. A load waits for what used its bank before. A COMPUTE
waits for the VECTOR descriptor that finished its source, unless one before it waited for that or
for a later one. The vector engine needs none for its sources: those that it made itself are
finished in order, and what it overwrites has been read, as each REQUANTISE ends after its COMPUTE.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..hdl.npu.config import NpuConfig
from ..hdl.npu.isa import Descriptor, DescriptorError, Opcode, Queue
from .descriptors import DescriptorFields, Values, load_weights
from .errors import ModelError
from .fetches import Fetches, in_order, plan_fetches
from .layers import DepthwiseLayer, Layer, MatrixLayer, Network
from .parameters import ParameterTable
from .schedule import DepthwiseStep, Load, MatrixStep, Schedule, TapSet, VectorStep
from .weights import WeightImage

__all__ = ["Program", "emit"]


@dataclass(frozen=True)
class Program:
    """Descriptors, the last one END, and the time stamp that each layer leaves, if it does.

    `fetched`: the bytes of each fetch for a layer, where there are any.
    """

    descriptors: tuple[Descriptor, ...]
    stamps: Mapping[int, int]
    fetched: Mapping[int, Sequence[int]]


@dataclass
class _Draft:
    """A descriptor whose tokens are not settled yet."""

    opcode: Opcode
    layer: int
    values: Values = field(default_factory=dict)

    @property
    def on_vector(self) -> bool:
        return self.opcode.queue is Queue.VECTOR

    def token(self, what: str, queue: Queue) -> None:
        self.values[what] = self.values.get(what, 0) | 1 << queue


def emit(
    network: Network, plan: Schedule, addresses: Mapping[str, int], weights: WeightImage,
    parameters: ParameterTable, config: NpuConfig, *, skip_zero_planes: bool = False,
) -> Program:
    """The program of a network, which skips planes that are zero if the NPU can and shall.

    Raises ModelError where a number does not fit its field, or a set not the weight memory.
    """
    fields = DescriptorFields(addresses, parameters, skip_zero_planes=skip_zero_planes)
    emitter = _Emitter(network, plan, weights, fields, config)
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
    return Program(tuple(descriptors), stamps, emitter.fetched())


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
        self, network: Network, plan: Schedule, weights: WeightImage, fields: DescriptorFields,
        config: NpuConfig,
    ) -> None:
        self.network, self.plan, self.config = network, plan, config
        self.weights, self.fields = weights, fields
        self.drafts: list[_Draft] = []
        self._order = in_order(plan.loads)
        self._fetches = Fetches((), ())
        if weights.is_external:
            self._fetches = plan_fetches(network.layers, self._order, weights, config)
        #: The loads and the number of fetches in the program so far.
        self._loads: list[_Draft] = []
        self._fetched = 0
        #: What computes with weights, by its step.
        self.users: dict[int, _Draft] = {}

    def run(self) -> None:
        """All descriptors, with the tokens between loads and what they load for."""
        waiting = {load.after: load for load in self._order if load.after is not None}
        for load in self._order:
            if load.after is None:
                self._load(load)
        for number, step in enumerate(self.plan.steps):
            match step:
                case MatrixStep():
                    self._matrix(number, step)
                case DepthwiseStep():
                    self._depthwise(number, step)
                case VectorStep():
                    self._vector(step)
            if number in waiting:
                self._load(waiting.pop(number))
        assert not waiting

    def order_layers(self) -> None:
        """Tokens from the end of what makes a source to the first COMPUTE that reads it.

        VECTOR descriptors end in order, so a COMPUTE that has waited for one has waited for all
        before it, and so have all behind that COMPUTE.
        """
        last = {draft.layer: number for number, draft in enumerate(self.drafts) if draft.on_vector}
        makers = {layer.result.name: index for index, layer in enumerate(self.network.layers)}
        waited = -1
        for draft in self.drafts:
            if draft.opcode is Opcode.COMPUTE:
                source = self.network.storage(self.network.layers[draft.layer].source)
                needed = last[makers[source]] if source in makers else -1
                if needed > waited:
                    self.drafts[needed].token("signal", Queue.COMPUTE)
                    draft.token("wait", Queue.VECTOR)
                    waited = needed

    def fetched(self) -> dict[int, list[int]]:
        """The bytes of each fetch, by layer."""
        found: dict[int, list[int]] = {}
        for draft in self.drafts:
            if draft.opcode is Opcode.FETCH:
                found.setdefault(draft.layer, []).append(draft.values["bytes"])
        return found

    def stamp(self, available: int) -> dict[int, int]:
        """Stamp the end of each layer, in order, while there are stamps."""
        last = {draft.layer: draft for draft in self.drafts if draft.on_vector}
        stamps = {layer: index for index, layer in enumerate(sorted(last)[:available])}
        for layer, index in stamps.items():
            last[layer].values.update(stamp=1, stamp_index=index)
        return stamps

    def _load(self, load: Load) -> None:
        number = len(self._loads)
        count, address = self.weights.place(load.weights)
        if self.weights.is_external:
            self._fetch(number)
            address = self._fetches.addresses[number]
        if isinstance(load.weights, TapSet):
            opcode, user = Opcode.LOAD_TAPS, Queue.VECTOR
            values = {"address": address, "taps": count}
        else:
            opcode, user = Opcode.LOAD_WEIGHTS, Queue.COMPUTE
            values = load_weights(load.weights, (count, address), self.config)
        draft = _Draft(opcode, load.weights.layer, {**values, "bank": load.bank})
        draft.token("signal", user)
        if load.after is not None:
            draft.token("wait", user)
            self.users[load.after].token("signal", Queue.LOAD)
        if any(fetch.load == number for fetch in self._fetches.fetches):
            draft.token("wait", Queue.FETCH)
        self._loads.append(draft)
        self.drafts.append(draft)

    def _fetch(self, load: int) -> None:
        """What is fetched for a load, and ahead of it as many as wait in front of an engine."""
        for fetch in self._fetches.before(load, self.config.queue_depth, self._fetched):
            layer = self._order[fetch.load].weights.layer
            values = {"source": fetch.source, "address": fetch.address, "bytes": fetch.size}
            draft = _Draft(Opcode.FETCH, layer, values)
            draft.token("signal", Queue.LOAD)
            if fetch.after is not None:
                draft.token("wait", Queue.LOAD)
                self._loads[fetch.after].token("signal", Queue.FETCH)
            self.drafts.append(draft)
            self._fetched += 1

    def _matrix(self, number: int, step: MatrixStep) -> None:
        layer = self.network.layers[step.layer]
        assert isinstance(layer, MatrixLayer)
        self._user(number, Opcode.COMPUTE, step.layer, self.fields.compute(layer, step))
        requantise = self.fields.requantise(layer, step)
        self.drafts.append(_Draft(Opcode.REQUANTISE, step.layer, requantise))

    def _depthwise(self, number: int, step: DepthwiseStep) -> None:
        layer = self.network.layers[step.layer]
        assert isinstance(layer, DepthwiseLayer)
        values = self.fields.depthwise(layer, step)
        self._user(number, Opcode.DEPTHWISE, step.layer, values)

    def _user(self, number: int, opcode: Opcode, layer: int, values: Values) -> None:
        """What computes with the weights of a step."""
        draft = _Draft(opcode, layer, {**values, "bank": self.plan.banks[number]})
        if number in self.plan.fresh:
            draft.token("wait", Queue.LOAD)
        self.users[number] = draft
        self.drafts.append(draft)

    def _vector(self, step: VectorStep) -> None:
        for opcode, values in self.fields.vector(self.network.layers[step.layer]):
            self.drafts.append(_Draft(opcode, step.layer, values))
