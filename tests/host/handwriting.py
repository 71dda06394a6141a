# SPDX-License-Identifier: Apache-2.0
"""Digits as lines, as different hands would write them."""

from collections.abc import Sequence

import numpy as np

__all__ = ["STYLES", "written"]

Strokes = list[list[tuple[float, float]]]


def _arc(
    x: float, y: float, rx: float, ry: float, start: float, end: float
) -> list[tuple[float, float]]:
    """Part of an ellipse, angles in degrees from the right, downwards."""
    angles = np.radians(np.linspace(start, end, 24))
    return [(x + rx * float(np.cos(a)), y + ry * float(np.sin(a))) for a in angles]


#: Of each digit the ways to write it, in a box of 1 x 1.6, y downwards.
STYLES: dict[int, Sequence[Strokes]] = {
    0: [
        [_arc(0.5, 0.8, 0.48, 0.8, -90, 270)],
        [_arc(0.5, 0.8, 0.36, 0.8, -60, 310)],
    ],
    1: [
        [[(0.5, 0), (0.5, 1.6)]],
        [[(0.25, 0.4), (0.55, 0), (0.55, 1.6)]],
        [[(0.2, 0.4), (0.5, 0), (0.5, 1.6)], [(0.2, 1.6), (0.8, 1.6)]],
    ],
    2: [
        [[*_arc(0.5, 0.45, 0.45, 0.45, -170, 40), (0.05, 1.6), (1, 1.6)]],
        [[
            *_arc(0.48, 0.4, 0.42, 0.4, -150, 60), (0.1, 1.5), (0.3, 1.45), (0.6, 1.6),
            (0.95, 1.5),
        ]],
    ],
    3: [
        [_arc(0.45, 0.4, 0.45, 0.4, -160, 90) + _arc(0.45, 1.2, 0.5, 0.4, -90, 160)],
        [_arc(0.4, 0.42, 0.4, 0.4, -140, 80) + _arc(0.42, 1.18, 0.48, 0.42, -80, 150)],
    ],
    4: [
        [[(0.6, 0), (0.05, 1.0), (1.0, 1.0)], [(0.72, 0.5), (0.72, 1.6)]],
        [[(0.15, 0), (0.1, 0.8), (0.9, 0.8)], [(0.85, 0), (0.8, 1.6)]],
    ],
    5: [
        [[(0.9, 0), (0.2, 0), (0.12, 0.7), *_arc(0.45, 1.1, 0.48, 0.5, -110, 150)]],
        [[(0.2, 0), (0.15, 0.65), *_arc(0.45, 1.1, 0.45, 0.48, -120, 140)], [(0.2, 0), (0.95, 0)]],
    ],
    6: [
        [[(0.8, 0), (0.35, 0.45), *_arc(0.5, 1.15, 0.45, 0.45, -160, 200)]],
        [[(0.6, 0), (0.2, 0.6), *_arc(0.5, 1.2, 0.42, 0.4, 180, -170)]],
    ],
    7: [
        [[(0, 0), (1, 0), (0.4, 1.6)]],
        [[(0, 0.05), (0.95, 0), (0.45, 1.6)], [(0.3, 0.8), (0.95, 0.8)]],
    ],
    8: [
        [_arc(0.5, 0.4, 0.36, 0.4, 90, -270) + _arc(0.5, 1.2, 0.45, 0.4, -90, 270)],
        [_arc(0.5, 0.38, 0.4, 0.38, 80, -280) + _arc(0.5, 1.18, 0.46, 0.42, -90, 280)],
    ],
    9: [
        [[*_arc(0.45, 0.45, 0.42, 0.45, 0, -350), (0.87, 0.5), (0.75, 1.6)]],
        [[
            *_arc(0.5, 0.42, 0.4, 0.4, -20, -340), (0.9, 0.3), (0.85, 1.2), (0.5, 1.6), (0.2, 1.5),
        ]],
    ],
}


def written(digit: int, style: int, hand: int) -> Strokes:
    """A digit as hand number `hand` writes it: leaning, narrow or wide, anywhere and of any size;
    hand 0 writes it as it is drawn."""
    strokes = STYLES[digit][style]
    source = np.random.default_rng((digit, style, hand))
    matrix, move, noise = np.eye(2), np.zeros(2), 0.0
    if hand:
        turn = source.uniform(-0.15, 0.15)
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        matrix = matrix @ np.array([[1, source.uniform(-0.25, 0.1)], [0, 1]])
        matrix = matrix @ np.diag(source.uniform(0.75, 1.3, 2)) * source.uniform(0.2, 3)
        move, noise = source.uniform(-2, 2, 2), 0.015
    made: Strokes = []
    for stroke in strokes:
        points = np.array(stroke) + noise * source.standard_normal((len(stroke), 2))
        made.append([(float(x), float(y)) for x, y in points @ matrix.T + move])
    return made
