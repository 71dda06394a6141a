# SPDX-License-Identifier: Apache-2.0
"""Drawn digits look as those of the data set do, so that the network reads them."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cimple.host.drawing import INK, digit_image
from cimple.host.oracle import run_network
from tests.host.handwriting import STYLES, written


def read(root: Path, images: list[np.ndarray]) -> np.ndarray:
    """What the network of the examples takes images for."""
    batch = (np.stack(images)[:, np.newaxis] / 16).astype(np.float32)
    return run_network(root / "examples" / "digits" / "digits.onnx", batch).argmax(axis=1)


def test_the_network_reads_every_hand(root: Path) -> None:
    """21 ways to write the digits, by 10 hands each: leaning, narrow, wide, small, somewhere."""
    cases = [
        (digit, style, hand)
        for digit, styles in STYLES.items() for style in range(len(styles)) for hand in range(10)
    ]
    found = read(root, [digit_image(written(*case)) for case in cases])
    wrong = [case for case, digit in zip(cases, found, strict=True) if case[0] != digit]
    assert wrong == []
    assert len(cases) == 210


@pytest.mark.parametrize("digit", [0, 2, 3, 5, 8])
def test_digits_have_the_ink_of_the_data_set(digit: int) -> None:
    image = digit_image(written(digit, 0, 0))
    assert image.min() == 0
    assert image.max() >= 14
    assert image.sum() / 16 == pytest.approx(INK, abs=0.5)
    # They are as high as the image, and not as wide.
    assert image.max(axis=1).all()
    assert not image[:, [0, 7]].any()


def test_ink_is_that_of_the_training_images(root: Path) -> None:
    import runpy

    images, _ = runpy.run_path(str(root / "examples" / "digits" / "data.py"))["training"]()
    assert images.sum(axis=(1, 2, 3)).mean() == pytest.approx(INK, abs=0.05)


def test_size_and_place_do_not_matter() -> None:
    strokes = written(5, 1, 0)
    moved = [[(40 * x - 300, 40 * y + 7) for x, y in stroke] for stroke in strokes]
    assert digit_image(moved).tolist() == digit_image(strokes).tolist()


def test_up_is_up_and_left_is_left() -> None:
    """An L, whose ends stay where they are."""
    image = digit_image([[(0, 0), (0, 2), (1, 2)]])
    assert image[0, 1:3].sum() > 10
    assert image[0, 5:].sum() == 0
    assert image[7, 5] > 3


def test_a_leaning_line_is_made_straight() -> None:
    assert digit_image([[(0, 1), (1, 0)]]).tolist() == digit_image([[(0, 1), (0, 0)]]).tolist()


def test_nothing_and_next_to_nothing() -> None:
    assert not digit_image([]).any()
    assert not digit_image([[]]).any()
    dot = digit_image([[(3, 3)]])
    assert dot[3:5, 3:5].min() == 16
    assert dot.tolist() == dot[::-1, ::-1].tolist()


def test_many_points_are_thinned_out() -> None:
    line = written(3, 0, 0)[0]
    many = [
        (x + (u - x) * k / 400, y + (v - y) * k / 400)
        for (x, y), (u, v) in pairwise(line) for k in range(400)
    ]
    assert np.abs(digit_image([many]) - digit_image([line])).max() <= 2
