# SPDX-License-Identifier: Apache-2.0
"""Train the digits network in plain NumPy and write it as ONNX, in float32 and in int8.

    python -P examples/digits/train.py            # rewrites digits.onnx and digits_float.onnx
    python -P examples/digits/train.py --check    # retrains, compares, writes nothing

About ten seconds on one core. On one machine and one set of library versions the files are
identical byte for byte each time; elsewhere the last bits of float sums may differ.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import onnx
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from threadpoolctl import threadpool_limits

    sys.path.insert(0, str(Path(__file__).parent))
    import data
    from export import BAD_MODEL, accuracy, float_model, quantise
    from network import Array, Conv, Flatten, Gemm, MaxPool, Network, Relu, adam, cross_entropy
except ModuleNotFoundError as missing:
    raise SystemExit(
        f"train.py: the Python module {missing.name!r} is not installed; "
        "it comes with: pip install -e '.[train]'"
    ) from None

SEED = 1
EPOCHS = 150
BATCH = 50
RATE = 3e-3
DECAY = 0.01
FOLDER = Path(__file__).parent
INT8_NAME, FLOAT_NAME = "digits.onnx", "digits_float.onnx"
# Another processor sums floats in another order and so trains slightly different weights.
CHECK_TOLERANCE = 0.01


def build(generator: np.random.Generator) -> Network:
    """The untrained network: 8x8 image -> 10 logits, 89,424 multiply-accumulates an image."""
    return Network(
        [
            Conv(1, 8, generator=generator),
            Relu(),
            Conv(8, 16, generator=generator),
            Relu(),
            MaxPool(),
            Conv(16, 18, generator=generator, stride=2),
            Relu(),
            Flatten(),
            Gemm(72, 10, generator=generator),
        ]
    )


def train(epochs: int, console: Console) -> Network:
    """The network after `epochs` passes over the augmented training images."""
    generator = np.random.default_rng(SEED)
    network = build(generator)
    images, labels = data.training()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=epochs)
        for epoch in range(epochs):
            order = generator.permutation(len(images))
            batch = data.augment(images[order], generator).transpose(0, 2, 3, 1)
            loss = _epoch(network, batch, labels[order], epoch, epochs)
            text = f"epoch {epoch + 1}/{epochs}, loss {loss:.4f}"
            progress.update(task, advance=1, description=text)
    return network


def _epoch(network: Network, images: Array, labels: data.Labels, epoch: int, epochs: int) -> float:
    """One pass in mini-batches, the rate falling along a half cosine; returns the mean loss."""
    batches = len(images) // BATCH
    losses = []
    for index in range(batches):
        rows = slice(index * BATCH, (index + 1) * BATCH)
        loss, gradient = cross_entropy(network.forward(images[rows]), labels[rows])
        network.backward(gradient)
        step = epoch * batches + index + 1
        rate = RATE * (1 + np.cos(np.pi * step / (epochs * batches))) / 2
        adam(network.parameters, step, rate=rate, decay=DECAY)
        losses.append(loss)
    return float(np.mean(losses))


def produce(epochs: int, console: Console) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Train and export; the float model and the int8 one."""
    # One thread: the order of summation, and with it every bit, then never varies.
    with threadpool_limits(limits=1):
        network = train(epochs, console)
    metadata = {
        "epochs": str(epochs),
        "held_back_sha256": data.split_digest(),
        "seed": str(SEED),
    }
    exported = float_model(network, metadata=metadata)
    return exported, quantise(exported, data.training()[0])


def report(exported: onnx.ModelProto, quantised: onnx.ModelProto, console: Console) -> float:
    """Print both accuracies on the held-back images and their gap; returns the int8 one."""
    images, labels = data.held_back()
    whole, small = accuracy(exported, images, labels), accuracy(quantised, images, labels)
    count = len(labels)
    console.print(f"held-back images: {count} of {data.IMAGES}")
    console.print(f"float32 accuracy: {whole:.2%} ({round(whole * count)} right)")
    console.print(f"int8 accuracy:    {small:.2%} ({round(small * count)} right)")
    console.print(f"gap:              {100 * (whole - small):+.2f} percentage points")
    return small


def stored(path: Path) -> tuple[bytes, float]:
    """The model file at `path` and its int8 accuracy on the held-back images."""
    try:
        content = path.read_bytes()
        return content, accuracy(onnx.load_from_string(content), *data.held_back())
    except OSError as error:
        raise SystemExit(f"train.py: {path}: cannot be read: {error.strerror}") from None
    except BAD_MODEL as error:
        reason = str(error).splitlines()[0]
        raise SystemExit(f"train.py: {path}: not a model onnxruntime takes: {reason}") from None


def compare(was: tuple[bytes, float], model: onnx.ModelProto, now: float, console: Console) -> None:
    """Compare the stored file with the `model` just made, of accuracy `now`; exits if apart."""
    content, then = was
    same = content == model.SerializeToString(deterministic=True)
    verdict = "identical byte for byte" if same else "not identical byte for byte"
    console.print(f"{INT8_NAME}: int8 accuracy {then:.2%}, {verdict}")
    if abs(then - now) > CHECK_TOLERANCE:
        raise SystemExit(
            f"train.py: {INT8_NAME} has an int8 accuracy of {then:.2%}, the model just trained "
            f"{now:.2%}; at most {CHECK_TOLERANCE:.0%} apart is allowed: "
            "run without --check to write it anew"
        )


def prepare(folder: Path) -> None:
    """Make `folder` and show that it can be written, before any time is spent on training."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SystemExit(f"train.py: {folder}: cannot be written: {error.strerror}") from None


def save(models: dict[str, onnx.ModelProto], folder: Path, console: Console) -> None:
    """Write each model under its name in `folder`, replacing a file only by a complete one."""
    try:
        for name, model in models.items():
            partial = folder / f"{name}.partial"
            partial.write_bytes(model.SerializeToString(deterministic=True))
            os.replace(partial, folder / name)
            console.print(f"wrote {folder / name} ({(folder / name).stat().st_size:,} bytes)")
    except OSError as error:
        problem = f"{error.filename}: cannot be written: {error.strerror}"
        raise SystemExit(f"train.py: {problem}") from None


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return value


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train the digits network and write it as ONNX, in float32 and in int8."
    )
    parser.add_argument(
        "--epochs",
        type=_positive,
        default=EPOCHS,
        help="passes over the training images (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=FOLDER,
        metavar="FOLDER",
        help=f"where {INT8_NAME} and {FLOAT_NAME} go (default: beside this script)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help=f"compare with {INT8_NAME} in FOLDER instead of writing",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Entry point of the script; `argv` defaults to the command line."""
    arguments = _arguments(argv)
    console = Console(highlight=False)
    was = stored(arguments.output / INT8_NAME) if arguments.check else None
    if was is None:
        prepare(arguments.output)
    try:
        exported, quantised = produce(arguments.epochs, console)
    except KeyboardInterrupt:
        raise SystemExit("train.py: interrupted; nothing was written") from None
    now = report(exported, quantised, console)
    if was is None:
        save({FLOAT_NAME: exported, INT8_NAME: quantised}, arguments.output, console)
    else:
        compare(was, quantised, now, console)


if __name__ == "__main__":
    main()
