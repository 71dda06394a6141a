# SPDX-License-Identifier: Apache-2.0
"""Programs that the golden NPU refuses: fields, tokens, vectors, hazards. Whole messages."""

import re

import numpy as np
import pytest

from cimple.hdl.npu.isa import Descriptor, Opcode, Queue
from cimple.hdl.npu.packets import Memory, Request, header
from cimple.verif.golden.npu import ProgramError
from tests.verif.golden.machine import CONFIGS, Machine

CONFIG = CONFIGS["lookup"]  # 20 rows of 8 columns in groups of 3, 2 banks, 4 lanes, 2 deep queues
LOAD, COMPUTE, VECTOR, FETCH = (1 << queue for queue in Queue)

WEIGHTS = {"groups": 1}
WINDOW = {"row_bytes": 16, "height": 4, "row_stride": 16, "run_bytes": 4, "depth": 4,
          "step_x": 4, "step_y": 1, "row_step": 16, "out_width": 2, "out_height": 2}
RESULT = {"out_width": 2, "out_height": 2, "out_start": 512, "out_pixel_stride": 8,
          "out_row_stride": 16, "channels": 8, "clamp_low": -128, "clamp_high": 127}
POOL = {name: value for name, value in WINDOW.items() if name not in ("run_bytes", "depth")} | {
    "pixel_bytes": 4, "kernel_width": 2, "kernel_height": 2, "channels": 4, "clamp_low": -128,
    "clamp_high": 127, "out_start": 512, "out_pixel_stride": 4, "out_row_stride": 8}
TAPS = {"taps": 4}
ADDITION = {"start": 0, "other_start": 100, "bytes": 50, "out_start": 512, "clamp_low": -128,
            "clamp_high": 127}
FIELDS = {Opcode.LOAD_WEIGHTS: WEIGHTS, Opcode.COMPUTE: WINDOW, Opcode.REQUANTISE: RESULT,
          Opcode.MAX_POOL: POOL, Opcode.LOAD_TAPS: TAPS, Opcode.DEPTHWISE: POOL,
          Opcode.AVERAGE_POOL: POOL, Opcode.ADD: ADDITION}


def step(opcode: Opcode, **changes: int) -> tuple[Opcode, dict[str, int]]:
    return opcode, FIELDS[opcode] | changes


def load(**changes: int):
    return step(Opcode.LOAD_WEIGHTS, **changes)


def compute(**changes: int):
    return step(Opcode.COMPUTE, **changes)


def requantise(**changes: int):
    return step(Opcode.REQUANTISE, **changes)


def pool(**changes: int):
    return step(Opcode.MAX_POOL, **changes)


def load_taps(**changes: int):
    return step(Opcode.LOAD_TAPS, **changes)


def depthwise(**changes: int):
    return step(Opcode.DEPTHWISE, **changes)


def add(**changes: int):
    return step(Opcode.ADD, **changes)


def refused(message: str, *program, config=CONFIG) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        Machine(config).run(*program)


def test_the_programs_that_are_changed_below_are_good() -> None:
    machine = Machine(CONFIG)
    assert machine.run(load(signal=COMPUTE), compute(wait=LOAD), requantise(), pool()).status == 0
    others = step(Opcode.AVERAGE_POOL), add(), add(out_start=0), add(out_start=100)
    assert machine.run(load_taps(signal=VECTOR), depthwise(wait=LOAD), *others).status == 0


IN_PLACE = "; only a window of one pixel with equal strides can work in place"

# Fields -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opcode", "changes", "message"),
    [
        (Opcode.LOAD_WEIGHTS, {"groups": 0}, "groups must be at least 1, not 0"),
        (Opcode.LOAD_WEIGHTS, {"bank": 2},
         "bank must be between 0 and 1 (the macro's banks), not 2"),
        (Opcode.LOAD_WEIGHTS, {"address": 4},
         "address must be a multiple of 8 (weight_port), not 4"),
        # A row group is 24 bytes here.
        (Opcode.LOAD_WEIGHTS, {"address": 1008},
         "address must be between 0 and 1000 (weight_bytes, less the groups'), not 1008"),
        (Opcode.LOAD_WEIGHTS, {"groups": 43},
         "address cannot be 0: weight_bytes, less the groups'"),
        (Opcode.LOAD_WEIGHTS, {"group": 65535, "groups": 2},
         "group must be between 0 and 65534 (16 bits, less the groups), not 65535"),
        (Opcode.COMPUTE, {"out_width": 0}, "out_width must be at least 1, not 0"),
        (Opcode.COMPUTE, {"out_height": 0}, "out_height must be at least 1, not 0"),
        (Opcode.COMPUTE, {"run_bytes": 0}, "run_bytes must be at least 1, not 0"),
        (Opcode.COMPUTE, {"depth": 0}, "depth must be between 1 and 20 (the macro's rows), not 0"),
        (Opcode.COMPUTE, {"depth": 21},
         "depth must be between 1 and 20 (the macro's rows), not 21"),
        (Opcode.COMPUTE, {"skip": 4}, "skip must be between 0 and 3 (less than run_bytes), not 4"),
        (Opcode.COMPUTE, {"bank": 3}, "bank must be between 0 and 1 (the macro's banks), not 3"),
        (Opcode.COMPUTE, {"skip_zero_planes": 1},
         "skip_zero_planes must be 0, as macro.skip_zero_planes is false"),
        (Opcode.COMPUTE, {"start": 1001},
         "address 0x400 is beyond the activation memory, which has activation_bytes = 1024"),
        (Opcode.COMPUTE, {"start": 0xFFFFFFFF},
         "address 0xffffffff is beyond the activation memory, which has activation_bytes = 1024"),
        (Opcode.COMPUTE, {"out_width": 65535, "out_height": 65535},
         "makes 17179344900 accesses, more than this model's 67108864"),
        (Opcode.COMPUTE, {"step_x": 65535, "out_width": 4, "height": 0},
         "windows reach x = 196608, beyond 131071"),
        (Opcode.MAX_POOL, {"step_y": 65535, "out_height": 3, "height": 0, "origin_y": 2},
         "windows reach y = 131073, beyond 131071"),
        (Opcode.REQUANTISE, {"out_width": 0}, "out_width must be at least 1, not 0"),
        (Opcode.REQUANTISE, {"channels": 0},
         "channels must be between 1 and 8 (the columns of its macros), not 0"),
        (Opcode.REQUANTISE, {"channels": 9},
         "channels must be between 1 and 8 (the columns of its macros), not 9"),
        (Opcode.REQUANTISE, {"channel": 2},
         "channel must be a multiple of 4 (requantisers), not 2"),
        (Opcode.REQUANTISE, {"channel": 28},
         "channel must be between 0 and 24 (channels = 32, less the descriptor's), not 28"),
        (Opcode.REQUANTISE, {"keep_partial": 1, "partial": 57},
         "partial must be between 0 and 56 (partial_sum_words, less those of all vectors), not 57"),
        (Opcode.REQUANTISE, {"add_partial": 1, "partial": 57},
         "partial must be between 0 and 56 (partial_sum_words, less those of all vectors), not 57"),
        (Opcode.REQUANTISE, {"clamp_low": 5, "clamp_high": 4},
         "clamp_low must be between -128 and 4 (up to clamp_high), not 5"),
        (Opcode.REQUANTISE, {"out_start": 1000},
         "address 0x400 is beyond the activation memory, which has activation_bytes = 1024"),
        (Opcode.REQUANTISE, {"stamp": 1, "stamp_index": 32},
         "stamp_index must be between 0 and 31 (the time stamps), not 32"),
        (Opcode.MAX_POOL, {"kernel_width": 0}, "kernel_width must be at least 1, not 0"),
        (Opcode.MAX_POOL, {"kernel_height": 0}, "kernel_height must be at least 1, not 0"),
        (Opcode.MAX_POOL, {"channels": 0}, "channels must be at least 1, not 0"),
        (Opcode.MAX_POOL, {"clamp_low": 5, "clamp_high": 4},
         "clamp_low must be between -128 and 4 (up to clamp_high), not 5"),
        (Opcode.MAX_POOL, {"start": 0xFFFFFFFC},
         "address 0xfffffffc is beyond the activation memory, which has activation_bytes = 1024"),
        (Opcode.MAX_POOL, {"out_start": 30},
         f"reads and writes address 0x20{IN_PLACE}"),
        (Opcode.LOAD_TAPS, {"taps": 0}, "taps must be between 1 and 16 (taps of the NPU), not 0"),
        (Opcode.LOAD_TAPS, {"taps": 17}, "taps must be between 1 and 16 (taps of the NPU), not 17"),
        (Opcode.LOAD_TAPS, {"bank": 2},
         "bank must be between 0 and 1 (the banks of kernels), not 2"),
        (Opcode.LOAD_TAPS, {"address": 4}, "address must be a multiple of 8 (weight_port), not 4"),
        (Opcode.LOAD_TAPS, {"address": 1000},
         "address must be between 0 and 992 (weight_bytes, less the taps'), not 1000"),
        (Opcode.DEPTHWISE, {"channels": 5}, "channels must be between 1 and 4 (the lanes), not 5"),
        (Opcode.DEPTHWISE, {"bank": 2},
         "bank must be between 0 and 1 (the banks of kernels), not 2"),
        (Opcode.DEPTHWISE, {"kernel_height": 9}, "a kernel has at most taps = 16 taps, not 18"),
        (Opcode.DEPTHWISE, {"channel": 2}, "channel must be a multiple of 4 (requantisers), not 2"),
        (Opcode.DEPTHWISE, {"channel": 32},
         "channel must be between 0 and 28 (channels = 32, less the descriptor's), not 32"),
        (Opcode.DEPTHWISE, {"rounding": 3}, "rounding must be at most 2, not 3"),
        (Opcode.DEPTHWISE, {"out_start": 30}, f"reads and writes address 0x20{IN_PLACE}"),
        (Opcode.AVERAGE_POOL, {"channel": 32},
         "channel must be between 0 and 28 (channels = 32, less the descriptor's), not 32"),
        (Opcode.AVERAGE_POOL, {"kernel_width": 0}, "kernel_width must be at least 1, not 0"),
        (Opcode.ADD, {"bytes": 0},
         "bytes must be between 1 and 1024 (activation_bytes), not 0"),
        (Opcode.ADD, {"channel": 3}, "channel must be a multiple of 4 (requantisers), not 3"),
        (Opcode.ADD, {"channel": 28},
         "channel must be between 0 and 24 (channels = 32, less its own), not 28"),
        (Opcode.ADD, {"other_start": 1000},
         "address 0x400 is beyond the activation memory, which has activation_bytes = 1024"),
        (Opcode.ADD, {"out_start": 1000},
         "address 0x400 is beyond the activation memory, which has activation_bytes = 1024"),
        (Opcode.ADD, {"out_start": 1},
         "out_start must be start or 50 bytes away from it, not 0x1 for 0x0"),
        (Opcode.ADD, {"out_start": 149},
         "out_start must be other_start or 50 bytes away from it, not 0x95 for 0x64"),
        (Opcode.ADD, {"clamp_low": 5, "clamp_high": 4},
         "clamp_low must be between -128 and 4 (up to clamp_high), not 5"),
        (Opcode.MAX_POOL, {"wait": VECTOR}, "wait must not name its own queue, VECTOR"),
        (Opcode.COMPUTE, {"signal": COMPUTE}, "signal must not name its own queue, COMPUTE"),
        (Opcode.LOAD_WEIGHTS, {"stamp": 1},
         "stamp must be 0, as only the VECTOR queue leaves time stamps"),
    ],
)
def test_fields(opcode: Opcode, changes: dict[str, int], message: str) -> None:
    refused(f"descriptor 1 ({opcode.name}): {message}", load(), step(opcode, **changes))


def test_padding_is_no_access() -> None:
    """Addresses outside the memory are fine where nothing is read."""
    machine = Machine(CONFIG)
    window = {"start": -16 & 0xFFFFFFFF, "origin_y": -1}
    machine.run(pool(**window))
    # The window's second row is the image's first; its first row is padding.
    assert machine.read(Memory.ACTIVATIONS, 512, 16).tolist() == [0] * 16


def test_a_copy_may_be_in_place() -> None:
    machine = Machine(CONFIG)
    machine.write(Memory.ACTIVATIONS, 0, np.arange(-64, 64, dtype=np.int8))
    one = {"kernel_width": 1, "kernel_height": 1, "out_start": 0, "out_row_stride": 16}
    machine.run(pool(**one, clamp_low=0, out_width=4, out_height=4))
    after = machine.read(Memory.ACTIVATIONS, 0, 128)
    assert after[:64].tolist() == [0] * 64
    assert after[64:].tolist() == list(range(64))
    refused(
        f"descriptor 0 (MAX_POOL): reads and writes address 0x4{IN_PLACE}",
        pool(**one | {"out_start": 4}),
    )


def test_reserved_bits() -> None:
    machine = Machine(CONFIG)
    machine.program(load())
    machine.write(Memory.PROGRAM, 60, np.array([1], np.uint32))
    with pytest.raises(ProgramError, match=r"^descriptor 0: bits that no field names must be"):
        machine.run()


def _encode(made) -> list[int]:
    return Descriptor(*made).encode()


@pytest.mark.parametrize("field", ["wait", "signal", "stamp"])
def test_end_has_no_tokens(field: str) -> None:
    machine = Machine(CONFIG)
    words = _encode((Opcode.END, {field: 1}))
    machine.write(Memory.PROGRAM, 0, np.array(words, np.uint32))
    with pytest.raises(ProgramError, match=rf"^descriptor 0 \(END\): {field} must be 0, as END"):
        machine.run()


def test_onnx_rounding_needs_24_bits() -> None:
    machine = Machine(CONFIG)
    machine.parameters(4, [(0, 1 << 30, 0), (0, (1 << 30) + 64, 0)])
    program = compute(), requantise(rounding=1, channel=4, channels=2)
    with pytest.raises(ProgramError) as caught:
        machine.run(*program)
    assert str(caught.value) == (
        "descriptor 1 (REQUANTISE): rounding is ONNX's, so multipliers must be multiples of 128 "
        "for channels 4 to 5"
    )
    assert machine.run(compute(), requantise(channel=4, channels=2)).status == 0


def test_a_rounding_that_does_not_exist() -> None:
    machine = Machine(CONFIG)
    with pytest.raises(ProgramError, match=r"\(REQUANTISE\): rounding must be at most 2, not 3$"):
        machine.run(compute(), requantise(rounding=3, channel=4, channels=2))


def test_partial_sums_must_have_been_kept() -> None:
    message = "descriptor 3 (REQUANTISE): add_partial adds partial sums that no descriptor has kept"
    first = compute(), requantise(keep_partial=1, channels=6, partial=3)
    assert Machine(CONFIG).run(*first, compute(), requantise(add_partial=1, channels=6, partial=3))
    # Another place, and lanes of a word that have no channel.
    refused(message, *first, compute(), requantise(add_partial=1, channels=6, partial=4))
    refused(message, *first, compute(), requantise(add_partial=1, channels=7, partial=3))


# Tokens and vectors -----------------------------------------------------------------------------


def test_deadlocks_say_who_waits_for_what() -> None:
    refused(
        "the program comes to a stop: descriptor 0 (COMPUTE) waits for a token from LOAD and "
        "VECTOR; descriptor 1 (REQUANTISE) waits for vectors: 0 of 4 came",
        compute(wait=LOAD | VECTOR), requantise(),
    )
    refused(
        "the program comes to a stop: descriptor 1 (REQUANTISE) waits for vectors: 4 of 6 came",
        compute(), requantise(out_width=3),
    )
    refused(
        "the program comes to a stop: descriptor 0 (COMPUTE) waits until its vectors are taken: "
        "0 of 4 were; descriptor 1 (REQUANTISE) waits for a token from COMPUTE",
        compute(signal=VECTOR), requantise(wait=COMPUTE),
    )


def test_a_full_queue_can_stop_a_program() -> None:
    """With queues 2 deep the third of these holds up the COMPUTE that they wait for."""
    waiting = [load(wait=COMPUTE) for _ in range(3)]
    signals = [c for _ in range(3) for c in (compute(signal=LOAD, bank=1), requantise())]
    refused(
        "the program comes to a stop: descriptor 0 (LOAD_WEIGHTS) waits for a token from COMPUTE; "
        "descriptor 2 (LOAD_WEIGHTS) waits for room in the LOAD queue",
        *waiting, *signals,
    )
    assert Machine(CONFIG.replace(queue_depth=3)).run(*waiting, *signals).status == 0


def test_left_overs() -> None:
    refused("tokens left over at END: 2 from LOAD to VECTOR", load(signal=VECTOR),
            load(signal=VECTOR))
    one = {"out_width": 1, "out_height": 1}
    refused("vectors left over at END: 1 computed, 0 requantised", compute(**one))


def test_at_most_255_tokens_of_a_kind() -> None:
    config = CONFIG.replace(descriptors=1024)
    give, take = load(signal=VECTOR), pool(wait=LOAD)
    assert Machine(config).run(*[give] * 255, *[take] * 255).status == 0
    refused(
        "descriptor 255 (LOAD_WEIGHTS): more than 255 tokens from LOAD to VECTOR may be "
        "outstanding",
        *[give] * 256, *[take] * 256, config=config,
    )


# Hazards ----------------------------------------------------------------------------------------

CURE = ", and nothing orders them: let one signal and the other wait"


def test_weights_read_and_written() -> None:
    refused(
        "descriptor 0 (LOAD_WEIGHTS) writes and descriptor 1 (COMPUTE) reads row group 0 of bank 0 "
        f"of the macro{CURE}",
        load(), compute(), requantise(),
    )
    refused(
        "descriptor 2 (LOAD_WEIGHTS) writes and descriptor 0 (COMPUTE) reads row group 1 of bank 0 "
        f"of the macro{CURE}",
        compute(), requantise(), load(group=1),
    )
    # Another bank, and rows that no input of the window reaches (4 of them are in 2 groups).
    assert Machine(CONFIG).run(load(bank=1), compute(), requantise(), load(group=2)).status == 0
    # In order by a token, and by one that goes by way of the vector engine.
    assert Machine(CONFIG).run(load(signal=COMPUTE), compute(wait=LOAD), requantise()).status == 0
    program = compute(), requantise(signal=LOAD), load(wait=VECTOR)
    assert Machine(CONFIG).run(*program).status == 0


def test_kernels_read_and_written() -> None:
    refused(
        "descriptor 0 (LOAD_TAPS) writes and descriptor 1 (DEPTHWISE) reads tap 0 of bank 1 of the "
        f"kernels{CURE}",
        load_taps(bank=1), depthwise(bank=1),
    )
    refused(
        "descriptor 1 (LOAD_TAPS) writes and descriptor 0 (DEPTHWISE) reads tap 0 of bank 0 of the "
        f"kernels{CURE}",
        depthwise(), load_taps(),
    )
    # The macro's row groups are others.
    others = load(), load_taps(bank=1), depthwise()
    assert Machine(CONFIG).run(*others).status == 0
    assert Machine(CONFIG).run(depthwise(signal=LOAD), load_taps(wait=VECTOR)).status == 0


def test_kernels_that_an_ended_program_left() -> None:
    """They may be the old ones or the new ones, until they are loaded again."""
    machine = Machine(CONFIG)
    machine.program(load_taps(taps=3))
    machine.model.abort([header(Request.RUN, 0), 0])
    message = "descriptor 0 (DEPTHWISE): bank 0 has kernels that an ended program left undefined"
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        machine.run(depthwise())
    assert machine.run(depthwise(bank=1)).status == 0
    assert machine.run(load_taps(signal=VECTOR), depthwise(wait=LOAD)).status == 0


def test_results_that_are_read_need_a_token() -> None:
    again = compute(start=512), requantise(out_start=768)
    refused(
        "descriptor 1 (REQUANTISE) writes and descriptor 2 (COMPUTE) reads address 0x200 of the "
        f"activations{CURE}",
        compute(), requantise(), *again,
    )
    refused(
        "descriptor 0 (MAX_POOL) writes and descriptor 1 (COMPUTE) reads address 0x200 of the "
        f"activations{CURE}",
        pool(), *again,
    )
    later = compute(start=512, wait=VECTOR), again[1]
    assert Machine(CONFIG).run(compute(), requantise(signal=COMPUTE), *later).status == 0
    assert Machine(CONFIG).run(pool(signal=COMPUTE), *later).status == 0
    # The token of an older descriptor is not enough.
    refused(
        "descriptor 1 (MAX_POOL) writes and descriptor 2 (COMPUTE) reads address 0x200 of the "
        f"activations{CURE}",
        pool(signal=COMPUTE, out_start=600), pool(), *later,
    )


def test_vectors_order_reads_before_writes() -> None:
    """What was read with a vector may be overwritten by it and by all behind it."""
    assert Machine(CONFIG).run(compute(), requantise(), pool(start=512, out_start=0)).status == 0
    one_row = {"out_width": 4, "out_height": 1}
    in_place = {"out_start": 0, "out_pixel_stride": 4, "channels": 4} | one_row
    assert Machine(CONFIG).run(compute(**one_row), requantise(**in_place)).status == 0
    # One vector too early: byte 4 belongs to the second window.
    early = in_place | {"out_start": 1}
    refused(
        "descriptor 1 (REQUANTISE) writes and descriptor 0 (COMPUTE) reads address 0x4 of the "
        f"activations{CURE}",
        compute(**one_row), requantise(**early),
    )


def test_a_pool_may_not_overwrite_windows_to_come() -> None:
    """Its place in the queue orders it behind vectors that are requantised, not behind others."""
    message = (
        "descriptor 0 (MAX_POOL) writes and descriptor 1 (COMPUTE) reads address 0x0 of the "
        f"activations{CURE}"
    )
    refused(message, pool(start=512, out_start=0), compute(), requantise(out_start=700))


def test_tokens_order_across_queues() -> None:
    """LOAD -> VECTOR -> COMPUTE orders the load before the compute."""
    program = load(signal=VECTOR), pool(wait=LOAD, signal=COMPUTE), compute(wait=VECTOR)
    assert Machine(CONFIG).run(*program, requantise(out_start=700)).status == 0


@pytest.mark.parametrize("seed", range(8))
def test_refusals_do_not_depend_on_the_order_drawn(seed: int) -> None:
    machine = Machine(CONFIG, seed)
    with pytest.raises(ProgramError, match=r"row group 0 of bank 0 of the macro"):
        machine.run(load(), compute(), requantise(), pool(start=600, out_start=700))
