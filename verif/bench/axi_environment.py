# SPDX-License-Identifier: Apache-2.0
"""An NPU behind AXI: channels that are watched, and pins that are disturbed."""

from abc import abstractmethod
from random import Random
from typing import Any

from cocotb.triggers import Timer

from .axi_channels import Channels
from .case import report_alive
from .check import require
from .stalls import stalls
from .wrapped_environment import WrappedEnvironment

__all__ = ["AxiEnvironment"]


class AxiEnvironment(WrappedEnvironment):
    """Watches all channels; a subclass has their drivers."""

    def __init__(self, dut: Any, channels: Channels) -> None:
        super().__init__(dut, dut.aclk, dut.aresetn, reset_level=0)
        self.channels = channels

    async def watch(self) -> None:
        """Look at every channel in every cycle."""
        while True:
            await self._edge
            self.channels.sample()
            report_alive()

    @abstractmethod
    def set_stalls(self, profile: str) -> None:
        """Hold up every channel by that profile from now on."""

    async def disturb(self) -> None:
        """For ever: change all inputs amid a cycle and back; outputs must not follow within it."""
        channels = self.channels.all.values()
        inputs = [pin for channel in channels for pin in channel.inputs]
        outputs = [pin for channel in channels for pin in channel.outputs]
        while True:
            await self._edge
            await Timer(2, "ns")
            kept = [pin.value for pin in inputs]
            before = [int(pin.value) for pin in outputs]
            for pin in inputs:
                pin.value = self.random.getrandbits(len(pin))
            await Timer(2, "ns")
            for pin, value in zip(outputs, before, strict=True):
                require(int(pin.value) == value, f"{pin._name} depends on an input of its cycle")
            for pin, value in zip(inputs, kept, strict=True):
                pin.value = value

    def pauses(self, profile: str) -> Any:
        """A generator of pauses for a driver of cocotbext-axi."""
        return stalls(profile, Random(self.random.getrandbits(64)))
