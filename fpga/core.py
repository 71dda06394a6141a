# SPDX-License-Identifier: Apache-2.0
"""All of a bitstream but clocks and pads: an NPU, its serial link, and the self-test."""

from typing import Any

from amaranth.hdl import DomainRenamer, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from ..hdl.generate.verilog import emit_rtlil, emit_verilog
from ..hdl.link.clocking import add_domain
from ..hdl.link.config import WrapperConfig
from ..hdl.link.serial_link import SerialLink
from ..hdl.link.uart_transmitter import UartTransmitter
from ..hdl.npu.config import NpuConfig
from ..hdl.npu.npu import Npu
from ..hdl.stamp import ModuleLibrary
from ..host.self_test import SelfTest
from .self_test import PATIENCE_BITS, SelfTester

__all__ = ["BoardCore", "core_verilog"]

#: Times a second that the light goes on during the test, and after one that has failed.
SLOW_BLINK, FAST_BLINK = 1, 8


class BoardCore(wiring.Component):
    """An NPU that tests itself after a reset and then belongs to its serial link.

    Structure::

        rx -> link -> command  ->|     |-> NPU
        tx <- link <- response <-| one |<- NPU
              self-test -------->| of  |
        tx <- text  <- self-test-| two |

    While the test is active the link is in reset: what the host sends is lost, and sent again.

    Parameters
    ----------
    config : NpuConfig
    wrapper : WrapperConfig
        Of the protocol `uart`.
    test : SelfTest
    title : str
        The board's name in the text.
    patience_bits : int
        As `self_test.PATIENCE_BITS`.

    Members
    -------
    clk : In(1)
        Rising edge.
    rst : In(1)
        High for a reset, synchronous to `clk`; the test begins anew.
    rx : In(1)
        Serial line from the host; may change at any time.
    tx : Out(1)
        Serial line to the host.
    light : Out(1)
        Blinks once a second while the test runs, is steady once it has passed, and blinks 8 times a
        second once it has failed.
    failed : Out(1)
        High once the test has failed.
    """

    clk: Signal
    rst: Signal
    rx: Signal
    tx: Signal
    light: Signal
    failed: Signal

    def __init__(
        self, config: NpuConfig, wrapper: WrapperConfig, test: SelfTest, title: str,
        patience_bits: int = PATIENCE_BITS,
    ) -> None:
        self.config = config
        self.wrapper = wrapper
        said = f"cimple {title} self-test "
        self._tester = SelfTester(test, f"{said}passed\r\n", f"{said}failed\r\n", patience_bits)
        inputs, outputs = ("clk", "rst", "rx"), ("tx", "light", "failed")
        super().__init__(dict.fromkeys(inputs, In(1)) | dict.fromkeys(outputs, Out(1)))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        outside: Any = DomainRenamer("board")
        test, text = outside(self._tester), outside(UartTransmitter(self.wrapper.divisor))
        m.submodules.npu = npu = Npu(self.config)
        m.submodules.test = test
        m.submodules.text = text
        m.submodules.link = link = DomainRenamer("link")(SerialLink(self.wrapper))
        active = Signal(init=1)
        # Until the last bit of the text has gone.
        m.d.board += active.eq(test.active | ~text.bytes.ready)
        add_domain(m, "board", self.clk, self.rst)
        add_domain(m, "link", self.clk, self.rst | active)
        add_domain(m, "sync", self.clk, self.rst | link.reset_npu)
        connect(m, test.text, text.bytes)
        _share(m, active, test, link, npu)
        m.d.comb += [link.rx.eq(self.rx), self.failed.eq(test.failed)]
        line = Signal(init=1)
        m.d.board += line.eq(Mux(active, text.tx, link.tx))
        m.d.comb += self.tx.eq(line)
        self._light(m, test)
        return m

    def _light(self, m: Module, test: SelfTester) -> None:
        # Half a fast blink, and how many of them there were, modulo a slow blink.
        period = round(self.wrapper.clock_hz / FAST_BLINK / 2)
        timer, count = Signal(range(period)), Signal(range(2 * FAST_BLINK // SLOW_BLINK))
        with m.If(timer == period - 1):
            m.d.board += [timer.eq(0), count.eq(count + 1)]
        with m.Else():
            m.d.board += timer.eq(timer + 1)
        dark = Mux(test.failed, count[0], count[-1])
        m.d.board += self.light.eq(test.passed | ~dark)


def _share(m: Module, active: Signal, test: Any, link: Any, npu: Any) -> None:
    """Join the NPU's streams to the test's, or to the link's."""
    m.d.comb += [
        npu.command.payload.eq(Mux(active, test.command.payload, link.command.payload)),
        npu.command.valid.eq(Mux(active, test.command.valid, link.command.valid)),
        test.command.ready.eq(npu.command.ready & active),
        link.command.ready.eq(npu.command.ready & ~active),
        test.response.payload.eq(npu.response.payload),
        link.response.payload.eq(npu.response.payload),
        test.response.valid.eq(npu.response.valid & active),
        link.response.valid.eq(npu.response.valid & ~active),
        npu.response.ready.eq(Mux(active, test.response.ready, link.response.ready)),
    ]


def core_verilog(core: BoardCore, name: str) -> str:
    """Verilog of the core as module `name`."""
    library = ModuleLibrary(name)
    rtlil = emit_rtlil(core, name, library)
    return "".join([emit_verilog(rtlil, name), *library.verilog.values()])
