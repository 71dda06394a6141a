# SPDX-License-Identifier: Apache-2.0
"""What can be chosen of the serial link, and what its manifest says."""

import pytest

from cimple.hdl.config import ConfigError
from cimple.hdl.link import Protocol, WrapperConfig
from cimple.hdl.link.frame_receiver import patience


@pytest.mark.parametrize(
    ("clock_hz", "baud", "divisor"),
    [(12_000_000, 1_000_000, 12), (25_000_000, 115_200, 217), (48_000_000, 3_000_000, 16)],
)
def test_bits_are_divided_from_the_clock(clock_hz: int, baud: int, divisor: int) -> None:
    wrapper = WrapperConfig(protocol=Protocol.UART, clock_hz=clock_hz, baud=baud)
    assert wrapper.divisor == divisor
    # Five to ten milliseconds, and more bytes than one on any line.
    assert 0.005 * clock_hz <= patience(wrapper) < 0.0101 * clock_hz


def test_a_slow_line_has_more_patience() -> None:
    wrapper = WrapperConfig(protocol=Protocol.UART, clock_hz=12_000_000, baud=1200)
    assert patience(wrapper) >= 320 * wrapper.divisor


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"clock_hz": 25_000_000, "baud": 3_000_000}, "8 cycles a bit are 4.2 % off"),
        ({"clock_hz": 6_000_000, "baud": 1_200_000}, "1000000 baud is the most"),
        ({"buffer_words": 100}, "buffer_words"),
        ({"fifo_depth": 8}, "fifo_depth is of the wrapper axi-lite alone"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        WrapperConfig.from_mapping({"protocol": "uart", **fields}, source="x")


def test_other_wrappers_have_no_baud_rate() -> None:
    with pytest.raises(ConfigError, match="baud is of the wrapper uart alone"):
        WrapperConfig(protocol=Protocol.AXI_LITE, baud=9600)
