# SPDX-License-Identifier: Apache-2.0
"""The images: scikit-learn's handwritten digits, one fixed split, and training-time augmentation.

The file stands alone (NumPy and scikit-learn only), so that other programs can load it by path.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

Images = NDArray[np.float32]
Labels = NDArray[np.int64]

SPLIT_SEED = 20
IMAGES = 1797
HELD_BACK = 397
_FULL_SCALE = 16.0


def split() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices into `load_digits` of the training images (1400) and of the held-back ones (397).

    The permutation sorts raw words of a PCG64 generator. NumPy promises that a bit generator's raw
    stream never changes, which it does not promise of `Generator.permutation`; a split that moved
    would put images the committed network was trained on among those it is judged on.
    """
    keys = np.random.PCG64(SPLIT_SEED).random_raw(IMAGES)
    order = np.argsort(keys, kind="stable")
    return order[HELD_BACK:], order[:HELD_BACK]


def split_digest() -> str:
    """SHA-256 of the held-back indices in order, as 64 hexadecimal digits; stored in the model."""
    return hashlib.sha256(split()[1].astype("<i8").tobytes()).hexdigest()


def training() -> tuple[Images, Labels]:
    """Training images, float32 [1400, 1, 8, 8] in 0..1, and their labels, int64 [1400] in 0..9."""
    return _select(split()[0])


def held_back() -> tuple[Images, Labels]:
    """Held-back images, float32 [397, 1, 8, 8] in 0..1, and their labels, int64 [397] in 0..9.

    Neither training nor calibration sees these images.
    """
    return _select(split()[1])


def _select(indices: NDArray[np.intp]) -> tuple[Images, Labels]:
    pixels, labels = (np.asarray(part) for part in load_digits(return_X_y=True))
    images = pixels.reshape(IMAGES, 1, 8, 8)[indices] / _FULL_SCALE
    return images.astype(np.float32), labels[indices].astype(np.int64)


def augment(images: Images, generator: np.random.Generator) -> Images:
    """Images [N, 1, 8, 8] as another hand might have written them, clipped to 0..1.

    Each image is sheared, turned and scaled by up to 15 %; each direction moves by -1, 0 or +1
    pixel in half of the images, blank pixels coming in; ink varies by +-30 %; noise has a standard
    deviation of a tenth of full scale.
    """
    count = len(images)
    matrices = np.eye(2) + 0.15 * generator.uniform(-1, 1, size=(count, 2, 2))
    moves = generator.integers(-1, 2, size=(count, 2, 1))
    moves = np.where(generator.random((count, 2, 1)) < 0.5, moves, 0)
    ink = 1 + 0.3 * generator.uniform(-1, 1, size=(count, 1, 1))
    drawn = ink * _resample(images[:, 0], matrices, moves)
    noisy = drawn + 0.1 * generator.standard_normal(drawn.shape)
    return np.clip(noisy, 0, 1).astype(np.float32)[:, np.newaxis]


def _resample(
    images: Images, matrices: NDArray[np.float64], moves: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Bilinear samples of images [N, 8, 8] at `matrix @ position + move`, measured from the centre.

    `matrices` is [N, 2, 2], `moves` [N, 2, 1], both row first. What lies outside is blank.
    """
    count, size, _ = images.shape
    centre = (size - 1) / 2
    positions = np.indices((size, size)).reshape(2, -1) - centre
    sources = np.clip(matrices @ positions + centre + moves, -1, size)
    corners = np.minimum(np.floor(sources).astype(np.intp), size - 1)
    down, right = np.moveaxis(sources - corners, 1, 0)
    row, column = np.moveaxis(corners + 1, 1, 0)
    padded = np.pad(images.astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    image = np.arange(count)[:, np.newaxis]
    upper = (1 - right) * padded[image, row, column] + right * padded[image, row, column + 1]
    lower = (1 - right) * padded[image, row + 1, column]
    lower += right * padded[image, row + 1, column + 1]
    return ((1 - down) * upper + down * lower).reshape(count, size, size)
