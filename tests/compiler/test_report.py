# SPDX-License-Identifier: Apache-2.0
"""The report: numbers that can be worked out by hand."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from cimple.compiler.compile import compile_network
from cimple.compiler.report import Report, report_table
from tests.compiler.networks import NetworkBuilder, npu
from tests.compiler.tflite_networks import SAME, TfliteBuilder


def report(builder: NetworkBuilder, directory: Path) -> Report:
    config = npu(rows=18, columns=4, lanes=2, activation_port=8, banks=1)
    return compile_network(builder.save(directory / "net.onnx"), config).report


def test_a_convolution(tmp_path: Path) -> None:
    made = report(NetworkBuilder([4, 5, 5]).conv(6, (3, 3)), tmp_path)
    (layer,) = made.layers
    assert layer.macs == 9 * 36 * 6
    assert (layer.depth, layer.passes, layer.channel_tiles, layer.areas) == (36, 2, 2, 1)
    # 2 passes x 2 tiles of 9 windows of 8 planes.
    assert layer.bounds["array"] == 4 * 9 * 8
    # Runs of 12 bytes: 12 + 6 and 6 + 12, so 2 + 1 reads each.
    assert layer.bounds["feeder"] == 4 * 9 * 3
    # 4 and 2 channels in lanes of 2.
    assert layer.bounds["requantisers"] == 9 * 2 * (2 + 1)
    assert (layer.bound_by, layer.ideal_cycles) == ("array", 288)
    # 18 rows are 5 groups of 4. The first is read in 4 cycles, the others' tables and its own are
    # filled in 16 each, and the last entry is stored a cycle later.
    assert layer.load_cycles == 4 * (4 + 5 * 16 + 1)
    # A row of 4 weights takes a whole word of 8 bytes.
    assert layer.weight_bytes == 4 * 5 * 4 * 8
    assert layer.descriptors == 12
    assert made.peak_macs == 18 * 4 / 8
    assert made.utilisation(layer) == 1944 / (288 * 9)


def test_a_pool(tmp_path: Path) -> None:
    (layer,) = report(NetworkBuilder([9, 4, 4]).max_pool((2, 2), (2, 2)), tmp_path).layers
    assert (layer.macs, layer.bounds) == (0, {"pool": 4 * 4 * 2})


def test_the_vector_engine_s_layers(tmp_path: Path) -> None:
    """9 channels in lanes of 4 are three groups; 324 bytes are 81 beats."""
    builder = TfliteBuilder([6, 6, 9]).depthwise((3, 3), padding=SAME)
    builder.add(0).average_pool((2, 2), (1, 1), SAME).reshape([324]).fully_connected(4).softmax()
    config = npu(lanes=4, weight_port=8, weight_bytes=8192)
    made = compile_network(builder.save(tmp_path / "net.tflite"), config).report
    depthwise, add, average = made.layers[:3]
    assert depthwise.macs == 36 * 9 * 9
    assert depthwise.bounds == {"taps": 36 * 9 * 3, "requantisers": 36 * 3}
    # A word a tap; what the lanes lack is filled up.
    assert (depthwise.load_cycles, depthwise.weight_bytes) == (27, 27 * 8)
    assert (depthwise.depth, depthwise.channel_tiles, depthwise.descriptors) == (9, 3, 6)
    assert (add.bounds, add.macs, add.descriptors) == ({"add": 2 * 81}, 0, 1)
    assert average.bounds == {"taps": 36 * 4 * 3, "requantisers": 36 * 3}
    assert (average.areas, average.descriptors) == (4, 4)
    (host,) = made.host
    assert (host.name, host.kind, host.shape) == ("5", "SOFTMAX", (4,))
    assert sum(layer.descriptors for layer in made.layers) + 1 == (
        made.memories["descriptors"].used
    )
    assert Report.model_validate(made.to_json()) == made


def test_several_macros(tmp_path: Path) -> None:
    """Two windows at once, each in two macros of 4 columns: 25 windows are 13 rounds."""
    path = NetworkBuilder([18, 5, 5]).conv(6, (1, 1)).flatten().gemm(3).save(tmp_path / "net.onnx")
    config = npu(rows=18, columns=4, lanes=2, activation_port=8, banks=1, macros=4,
                 weight_bytes=1 << 16)
    made = compile_network(path, config).report
    layer, last = made.layers
    assert (layer.windows, layer.macros, last.windows, last.macros) == (2, 2, 1, 4)
    # 18 bytes are 3 reads, 6 channels 3 beats: of every window.
    assert layer.bounds == {"array": 13 * 8, "feeder": 25 * 3, "requantisers": 25 * 3}
    # As in `test_a_convolution`, but for the first row group, which two macros take in turn.
    assert layer.load_cycles == 2 * 4 + 4 * 16 + 17
    assert (layer.weight_bytes, layer.descriptors) == (2 * 5 * 4 * 8, 3)
    assert made.peak_macs == 18 * 4 * 4 / 8
    assert made.utilisation(layer) == 18 * 6 * 25 / (13 * 8 * 36)
    assert made.to_json()["layers"][0]["windows"] == 2
    assert Report.model_validate(made.to_json()) == made
    assert sum(layer.descriptors for layer in made.layers) + 1 == (
        made.memories["descriptors"].used
    )


def test_the_table_shows_splits_of_several_macros(tmp_path: Path) -> None:
    builder = TfliteBuilder([6, 6, 3]).conv(4, (1, 1)).max_pool((2, 2), (2, 2)).fully_connected(3)
    path = builder.softmax().save(tmp_path / "net.tflite")
    for macros, expected in ((1, [[], [], [], []]), (2, [["2x1"], [], ["1x2"], []])):
        made = compile_network(path, npu(rows=36, macros=macros)).report
        console = Console(width=140, file=StringIO())
        with console.capture() as captured:
            console.print(report_table(made))
        words = [line.split() for line in captured.get().splitlines() if line.strip()]
        assert ("split" in words[0]) == (macros > 1)
        shown = [[word for word in row if word in ("2x1", "1x2")] for row in words[2:6]]
        assert shown == expected


def test_it_survives_as_json(tmp_path: Path) -> None:
    made = report(NetworkBuilder([4, 5, 5]).conv(6, (3, 3)).max_pool((2, 2)), tmp_path)
    plain = made.to_json()
    assert plain["macs"] == 1944
    assert plain["ideal_cycles"] == 288 + 2 * 2 * 4
    assert plain["layers"][0]["bound_by"] == "array"
    assert plain["memories"]["channels"] == {"used": 6, "available": 128}
    assert Report.model_validate(plain) == made


def test_the_table_shows_cycles_of_layers_that_have_some(tmp_path: Path) -> None:
    made = report(NetworkBuilder([4, 5, 5]).conv(6, (3, 3)).max_pool((2, 2)), tmp_path)
    console = Console(width=120, file=StringIO())
    with console.capture() as captured:
        console.print(report_table(made, [12345]))
    text = captured.get()
    assert "12,345" in text
    assert "maxpool0" in text
    assert "2x2x1" in text


def test_the_table_lists_what_the_host_does(tmp_path: Path) -> None:
    builder = TfliteBuilder([4]).fully_connected(3).softmax()
    made = compile_network(builder.save(tmp_path / "net.tflite"), npu()).report
    console = Console(width=120, file=StringIO())
    with console.capture() as captured:
        console.print(report_table(made, [12345]))
    (line,) = [line for line in captured.get().splitlines() if "host" in line]
    assert line.split() == ["1", "3", "host"]
