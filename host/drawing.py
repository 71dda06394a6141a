# SPDX-License-Identifier: Apache-2.0
"""A drawn digit as the digits data set would have it: 8 x 8 numbers of black pixels, 0 to 16.

The set's images come from NIST's forms. There each digit was straightened, so that the left ends of
its top and of its bottom are one above the other; fitted into a box 20 pixels wide and 32 high;
its strokes made as thick as it takes for all digits to have about as much ink; and the black pixels
of each block of 4 x 4 were counted. The same is done here with lines: once they are straight and in
the box, the pixels nearest to them are black, as many as the set has on average.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["INK", "SIDE", "Strokes", "digit_image"]

#: Lines from point to point, (x, y) with y downwards, in any unit.
Strokes = Sequence[Sequence[tuple[float, float]]]

#: Pixels of an image's side, and of the bitmap's blocks.
SIDE, _BLOCK = 8, 4
#: Blocks' worth of ink: the training images have 19.6 of 64 on average, each digit 19 to 20.7.
INK = 19.6

_BITMAP = SIDE * _BLOCK
#: Pixels that a digit fills, width and height.
_BOX = (20.0, 32.0)
#: How much more a digit may be stretched along one axis than along the other: ones stay narrow.
_STRETCH = 1.4
#: Share of the height that counts as the top, and as the bottom.
_END = 0.1
#: Points of each line among which the left ends are looked for.
_ALONG = np.linspace(0, 1, 9)[:, np.newaxis, np.newaxis]
#: Half of a stroke's width, in pixels of the bitmap: from a scribble to the single line of a one.
_RADIUS = (0.8, 5.0)
#: The width follows from the fit and the fit from the width: so often one and then the other.
_TURNS = 4
#: Segments that are looked at; more points than that are thinned out.
_SEGMENTS = 600


def digit_image(strokes: Strokes) -> NDArray[np.int64]:
    """The drawing in blocks, [8, 8] of 0 to 16, row by row; all 0 if there is no point.

    A stroke of one point is a dot. All coordinates must be finite.
    """
    starts, ends = _segments(strokes)
    if not len(starts):
        return np.zeros((SIDE, SIDE), np.int64)
    starts, ends = _straightened(starts, ends)
    radius, wanted = 2.0, round(INK * _BLOCK**2)
    distances = np.zeros(_BITMAP**2)
    for _ in range(_TURNS):
        scale, offset = _fit(np.concatenate([starts, ends]), radius)
        distances = _distances(starts * scale + offset, ends * scale + offset)
        radius = float(np.clip(np.sort(distances)[wanted], *_RADIUS))
    black = (distances < radius).reshape(SIDE, _BLOCK, SIDE, _BLOCK)
    return black.sum(axis=(1, 3)).astype(np.int64)


def _segments(strokes: Strokes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each line begins and ends, both [N, 2]."""
    lines = [np.asarray(stroke, np.float64).reshape(-1, 2) for stroke in strokes if len(stroke)]
    step = -(-sum(len(line) for line in lines) // _SEGMENTS)
    thinned = [np.concatenate([line[:: max(step, 1)], line[-1:]]) for line in lines]
    none = [np.zeros((0, 2))]
    starts = np.concatenate([line[:-1] for line in thinned] or none)
    return starts, np.concatenate([line[1:] for line in thinned] or none)


def _straightened(
    starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lines, sheared until the left ends of top and bottom are one above the other."""
    points = (starts + (ends - starts) * _ALONG).reshape(-1, 2)
    top, bottom = points[:, 1].min(), points[:, 1].max()
    height = max(bottom - top, 1e-9)
    upper = points[points[:, 1] <= top + _END * height, 0].min()
    lower = points[points[:, 1] >= bottom - _END * height, 0].min()
    lean = np.array([(upper - lower) / height, 0])
    return starts + (starts[:, 1:] - top) * lean, ends + (ends[:, 1:] - top) * lean


def _fit(
    points: NDArray[np.float64], radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factor and offset by which points, with strokes around them, fill the box and are centred."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum(high - low, 1e-9)
    across, up = (np.array(_BOX) - 2 * radius) / size
    scale = np.array([min(across, up * _STRETCH), min(up, across * _STRETCH)])
    return scale, _BITMAP / 2 - scale * (low + high) / 2


def _distances(
    starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> NDArray[np.float64]:
    """From the middle of each pixel of the bitmap to the nearest of the lines, in pixels."""
    axis = np.arange(_BITMAP) + 0.5
    pixels = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 1, 2)
    along = ends - starts
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    off = pixels - starts
    place = np.clip((off * along).sum(axis=2) / length, 0, 1)
    return np.sqrt(((off - place[..., np.newaxis] * along) ** 2).sum(axis=2).min(axis=1))
