# SPDX-License-Identifier: Apache-2.0
"""The NPU: front door, memories, sequencer, queues and engines."""

from functools import partial
from typing import Any

from amaranth.hdl import Cat, DomainRenamer, Module, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..keep import keep_where
from ..stamp import Stamp
from .activation_memory import ActivationMemory
from .axi_reader import AxiReadBus, AxiReader
from .config import NpuConfig
from .descriptor_queue import DescriptorQueue
from .fetch_engine import FetchEngine
from .front_door import FrontDoor
from .isa import Opcode, Queue, layout
from .matrix_engine import MatrixEngine
from .packets import BUSY, Memory, StreamWord
from .run_counters import RunCounters
from .sequencer import Sequencer
from .token_board import TokenBoard
from .vector_engine import VectorEngine
from .watchdog import Watchdog
from .word_memories import PARAMETER_BITS, ParameterMemory, ProgramMemory, WeightMemory

__all__ = ["Npu", "external_pins"]


def external_pins(config: NpuConfig) -> dict[str, Any]:
    """The pins of the external port, members of the NPU and of what is around it; or none."""
    if not config.external_port:
        return {}
    return {f"m_axi_{name}": member for name, member in AxiReadBus(config).members.items()}


class Npu(wiring.Component):
    """A neural processing unit behind two streams of 32-bit words.

    Structure::

        command -> front door -> memories: activations, weights, parameters, program
        response <-    |
                       v
                   sequencer -> queues: load      compute        vector
                                          |          |             |
                               weight loader -> macro -> vector engine
                                         window feeder

    With an external port there is a fourth queue, whose fetch engine writes the weight memory::

        m_axi <-> AXI reader -> fetch engine -> weights

    Parameters
    ----------
    config : NpuConfig
    bus_domain : str
        Clock domain of the AXI reader: that of the bus, where the NPU can be reset by itself.

    Members
    -------
    command : In(stream of StreamWord)
        Requests: `hdl.npu.packets`.
    response : Out(stream of StreamWord)
        Answers, one for each request, in order.
    m_axi_araddr and so on
        The members of `AxiReadBus`, where there is an external port.
    """

    command: stream.Interface
    response: stream.Interface

    def __init__(self, config: NpuConfig, bus_domain: str = "sync") -> None:
        self.config = config
        self.bus_domain = bus_domain
        super().__init__(
            {
                "command": In(stream.Signature(StreamWord)),
                "response": Out(stream.Signature(StreamWord)),
                **external_pins(config),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.front_door = door = FrontDoor(config)
        m.submodules.counters = counters = RunCounters(config)
        m.submodules.watchdog = watchdog = Watchdog(config)
        connect(m, flipped(self.command), door.command)
        connect(m, door.response, flipped(self.response))
        memories = self._add_memories(m, door)

        # What a RESET packet resets; memories and counters are not among it.
        resettable = partial(self._resettable, m, door)
        sequencer: Any = resettable("sequencer", Sequencer(config))
        tokens: Any = resettable("tokens", TokenBoard(config))
        matrix = self._add_engine(m, door, "matrix", MatrixEngine(config))
        vector = self._add_engine(m, door, "vector", VectorEngine(config))
        queues: dict[Queue, Any] = {
            queue: resettable(f"queue_{queue.name.lower()}", DescriptorQueue(config))
            for queue in config.queues
        }
        if config.external_port:
            fetch: Any = resettable("fetch", FetchEngine(config))
            self._connect_external(m, door, queues[Queue.FETCH], fetch, memories[Memory.WEIGHTS])

        self._connect_control(m, door, sequencer, memories[Memory.PROGRAM], counters)
        self._connect_queues(m, sequencer, tokens, queues)
        self._connect_engines(m, sequencer, queues, matrix, vector)
        self._connect_memories(m, memories, matrix, vector)
        self._count(m, counters, queues, matrix)
        m.d.comb += [
            watchdog.running.eq(door.running),
            watchdog.progress.eq(self._progress(sequencer, queues, matrix, vector)),
            door.stuck.eq(watchdog.stuck),
        ]
        return m

    def _add_memories(self, m: Module, door: Any) -> dict[Memory, Any]:
        """The memories behind the front door."""
        config = self.config
        m.submodules.activations = activations = ActivationMemory(config)
        m.submodules.weights = weights = WeightMemory(config)
        m.submodules.parameters = parameters = ParameterMemory(config)
        m.submodules.program = program = ProgramMemory(config)
        memories: dict[Memory, Any] = {
            Memory.ACTIVATIONS: activations,
            Memory.WEIGHTS: weights,
            Memory.PARAMETERS: parameters,
            Memory.PROGRAM: program,
        }
        for memory, component in memories.items():
            connect(m, door.memories[memory], component.host)
        return memories

    def _resettable(self, m: Module, door: Any, name: str, component: Any) -> Any:
        """A submodule that hears the engines' reset from a register of its own, near to it."""
        reset = _copy_of_reset(m, door, name)
        m.submodules[name] = ResetInserter(reset)(component)
        return component

    def _add_engine(self, m: Module, door: Any, name: str, engine: Any) -> Any:
        """The same for a large one, whose registers have no other reset."""
        stamp = Stamp(
            key=(type(engine), self.config.digest()), kind=name, signature=engine.signature,
            build=lambda: engine, reset=_copy_of_reset(m, door, name),
        )
        m.submodules[name] = stamp
        return stamp

    def _connect_memories(
        self, m: Module, memories: dict[Memory, Any], matrix: Any, vector: Any
    ) -> None:
        """Memories and the engines that read and write them."""
        activations, weights = memories[Memory.ACTIVATIONS], memories[Memory.WEIGHTS]
        parameters = memories[Memory.PARAMETERS]
        connect(m, vector.read, activations.pool)
        connect(m, matrix.read, activations.window)
        connect(m, vector.store_write, activations.store_write)
        connect(m, vector.pool_write, activations.pool_write)
        m.d.comb += [
            activations.pool_next.eq(vector.will_read),
            weights.address.eq(matrix.weight_address),
            matrix.weight_data.eq(weights.data),
        ]
        for name in PARAMETER_BITS:
            m.d.comb += [
                getattr(parameters, f"{name}_address").eq(getattr(vector, f"{name}_address")),
                getattr(vector, name).eq(getattr(parameters, name)),
            ]

    def _connect_control(
        self, m: Module, door: Any, sequencer: Any, program: Any, counters: Any
    ) -> None:
        m.d.comb += [
            sequencer.start.eq(door.run),
            sequencer.first.eq(door.first),
            door.done.eq(sequencer.done),
            door.fault.eq(sequencer.fault),
            door.fault_at.eq(sequencer.current),
            program.address.eq(sequencer.address),
            sequencer.data.eq(program.data),
            counters.clear.eq(door.run),
            counters.running.eq(door.running),
            counters.index.eq(door.counter_index),
            door.counter_value.eq(counters.value),
            door.cycles.eq(counters.cycles),
        ]

    def _connect_queues(self, m: Module, sequencer: Any, tokens: Any, queues: Any) -> None:
        for queue, component in queues.items():
            connect(m, sequencer.queues[queue], component.i)
            m.d.comb += [
                tokens.give[queue].eq(component.give),
                tokens.take[queue].eq(component.take),
                component.tokens.eq(tokens.tokens[queue]),
                sequencer.empty[queue].eq(component.empty),
            ]

    def _connect_engines(
        self, m: Module, sequencer: Any, queues: Any, matrix: Any, vector: Any
    ) -> None:
        load, compute, results = (queues[q] for q in (Queue.LOAD, Queue.COMPUTE, Queue.VECTOR))
        for outputs, taken in zip(matrix.o, vector.i, strict=True):
            connect(m, outputs, taken)
        connect(m, matrix.kernel, vector.kernel)
        m.d.comb += [
            sequencer.settled.eq(matrix.load_settled),
            matrix.load_start.eq(load.start),
            matrix.load_descriptor.eq(load.descriptor),
            load.done.eq(matrix.load_done),
            matrix.compute_start.eq(compute.start),
            matrix.compute_descriptor.eq(compute.descriptor),
            compute.done.eq(matrix.compute_done),
            vector.start.eq(results.start),
            vector.descriptor.eq(results.descriptor),
            results.done.eq(vector.done),
        ]

    def _progress(self, sequencer: Any, queues: Any, matrix: Any, vector: Any) -> Value:
        """Whether anything moves that a program has only so much of."""
        transfers = [port.valid & port.ready for port in (vector.read, *matrix.o)]
        starts = [queue.start for queue in queues.values()]
        moves = [sequencer.sent, matrix.row_taken, ~matrix.load_settled, matrix.round_taken]
        if self.config.external_port:
            # Whoever answers reads takes the time that it takes.
            moves.append(queues[Queue.FETCH].busy)
        return Cat(*transfers, *starts, *moves).any()

    def _connect_external(
        self, m: Module, door: Any, queue: Any, fetch: Any, weights: Any
    ) -> None:
        """The fetch engine between its queue, the weight memory, and the bus."""
        reader = DomainRenamer(self.bus_domain)(AxiReader(self.config))
        m.submodules.axi_reader = reader
        connect(m, fetch.burst, reader.burst)
        connect(m, reader.beat, fetch.beat)
        connect(m, fetch.write, weights.fetch)
        m.d.comb += [
            fetch.start.eq(queue.start),
            fetch.descriptor.as_value().eq(queue.descriptor),
            queue.done.eq(fetch.done),
            door.refused.eq(fetch.fault),
            door.refused_at.eq(fetch.fault_at),
        ]
        # A run begins with a reset of the engines, so what one before has left is dropped by then.
        m.d.comb += reader.discard.eq(_copy_of_reset(m, door, "reader"))
        for name, member in AxiReadBus(self.config).members.items():
            inner, pin = getattr(reader.bus, name), getattr(self, f"m_axi_{name}")
            m.d.comb += pin.eq(inner) if member.flow is Out else inner.eq(pin)

    def _count(self, m: Module, counters: Any, queues: Any, matrix: Any) -> None:
        """Busy cycles, and the time stamps of the vector queue's descriptors."""
        results = queues[Queue.VECTOR]
        header = data.View(layout(Opcode.END), results.descriptor)
        m.d.comb += [
            counters.busy.eq(Cat(queues[queue].busy for queue in BUSY)),
            counters.round_taken.eq(matrix.round_taken),
            counters.top_plane.eq(matrix.top_plane),
            counters.stamp.eq(results.busy & results.done & header.stamp),
            counters.stamp_index.eq(header.stamp_index[: self.config.stamp_bits]),
        ]


def _copy_of_reset(m: Module, door: Any, name: str) -> Signal:
    """A register that resets one part, after the NPU's reset too: the parts lie all over the die.
    """
    reset = Signal(name=f"reset_{name}", init=1, attrs=keep_where(True))
    m.d.sync += reset.eq(door.engine_reset)
    return reset
