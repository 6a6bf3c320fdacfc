"""What the dense compiler's choices rest on: tile size and threading, the layout of tensors, sliding maxima.

    python benchmarks/graph_choices.py [--threads 2] [--seconds 0.25] [--only tiles layouts maxima]

Prints tables in markdown. Each row is one run, its entries measured in turns, the best of six.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from scan_nets import CASES, exported
from scan_rivals import Stretch, Variant, dense_rate, rate

from trackgen.graph import compile_dense
from trackgen.runtime import open_session

TILES = tuple(1024 << power for power in range(8))
NETS = ("tss", "zeng", "shallow", "shallow1")
POSITIONS = 8192
REPEATS = 6
CONVOLUTIONS = (
    (4, 16, 10, 1, 1), (4, 128, 24, 1, 1), (4, 32, 15, 1, 1), (16, 128, 47, 1, 1), (16, 128, 47, 4, 1),
    (32, 100, 28, 7, 10), (64, 64, 3, 4, 1),
)  # fmt: skip
"""Channels in and out, width, dilation, stride."""
MAXIMA = ((16, 4), (32, 35), (128, 78))
"""Channels and width."""
TWO_STAGES = {4: (2, 2, 2), 35: (5, 7, 5), 78: (6, 13, 6)}
"""Width of a sliding maximum -> width of a first pool, width and dilation of a second that give the same."""


class Graph:
    """A graph of one input x, float32 (1, C, T) or (1, C, 1, T), built node by node."""

    def __init__(self, channels: int, *, image: bool) -> None:
        self.image = image
        self.shape = [1, channels, 1, POSITIONS] if image else [1, channels, POSITIONS]
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, value: Any) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def emit(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"value_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def along(self, value: int) -> list[int]:
        return [1, value] if self.image else [value]

    def max_pool(self, values: str, width: int, dilation: int = 1) -> str:
        return self.emit("MaxPool", values, kernel_shape=self.along(width), dilations=self.along(dilation))

    def convolve(self, values: str, outputs: int, width: int, dilation: int, stride: int) -> str:
        weight = np.random.default_rng(1).normal(0, 0.1, (outputs, self.shape[1], *self.along(width)))
        return self.emit(
            "Conv", values, self.constant(weight.astype(np.float32)),
            kernel_shape=self.along(width), dilations=self.along(dilation), strides=self.along(stride),
        )  # fmt: skip

    def crop(self, values: str, start: int, end: int) -> str:
        bounds = ([start], [end], [len(self.shape) - 1])
        return self.emit("Slice", values, *(self.constant(np.array(value, np.int64)) for value in bounds))

    def doubling(self, values: str, width: int) -> str:
        """A sliding maximum by pairwise maxima of shifted slices."""
        reach, length = 1, POSITIONS
        while reach < width:
            shift = min(reach, width - reach)
            values = self.emit("Max", self.crop(values, 0, length - shift), self.crop(values, shift, length))
            reach, length = reach + shift, length - shift
        return values

    def variant(self, output: str, label: str) -> Variant:
        """Runs the graph on one thread; the piece is its positions."""
        graph = helper.make_graph(
            self._nodes,
            "graph",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        session = open_session(model.SerializeToString(), device="cpu", threads=1)
        values = np.random.default_rng(2).standard_normal(self.shape).astype(np.float32)
        return Variant(label, POSITIONS, 1, lambda first: session.run({"x": values})[0])


def print_rates(
    title: str,
    columns: list[str],
    rows: dict[str, list[Variant]],
    stretch: Stretch,
    seconds: float,
    *,
    wall: bool = False,
) -> None:
    """Time the variants of a row in turns, and print millions a second.

    One thread is timed by its processor time, so that other work on the machine does not count.
    """
    clock = time.perf_counter if wall else time.thread_time
    print(f"\n{title}\n\n| | " + " | ".join(columns) + " |\n| --- |" + " --: |" * len(columns))
    for name, variants in rows.items():
        best = [0.0] * len(variants)
        for _ in range(REPEATS):
            for index, variant in enumerate(variants):
                best[index] = max(best[index], rate(variant, stretch, seconds, clock))
        print(f"| {name} | " + " | ".join(f"{value / 1e6:.2f}" for value in best) + " |", flush=True)


def tiles(stretches: dict[str, Stretch], threads: int, seconds: float) -> None:
    """Tile sizes, and one session on all threads against one thread a tile."""
    for key in NETS:
        stretch = stretches[key]
        case, rows = stretch.case, {}
        with tempfile.TemporaryDirectory() as folder:
            compiled = compile_dense(exported(case, case.build(), Path(folder)), case.card, case.stride)
        variants = dense_rate(compiled, stretch, threads, TILES).variants
        for first in range(0, len(variants), len(TILES)):
            rows[variants[first].label.rpartition(", ")[2]] = variants[first : first + len(TILES)]
        title, columns = f"{case.title}: Mbase/s by bases a tile", [f"{tile:,}" for tile in TILES]
        print_rates(title, columns, rows, stretch, seconds, wall=threads > 1)


def layouts(stretch: Stretch, seconds: float) -> None:
    """Tensors (1, C, T) against (1, C, 1, T), which ONNX Runtime lays out in blocks of channels."""
    rows = {}
    for channels, outputs, width, dilation, stride in CONVOLUTIONS:
        found = []
        for image in (False, True):
            graph = Graph(channels, image=image)
            found.append(graph.variant(graph.convolve("x", outputs, width, dilation, stride), ""))
        rows[f"{channels} to {outputs}, width {width}, dilation {dilation}, stride {stride}"] = found
    print_rates("Convolutions, one thread: M positions/s", ["(1, C, T)", "(1, C, 1, T)"], rows, stretch, seconds)


def maxima(stretch: Stretch, seconds: float) -> None:
    """Sliding maxima: one MaxPool, two, and pairwise maxima."""
    forms: dict[str, Callable[[Graph, int], str]] = {
        "one MaxPool": lambda graph, width: graph.max_pool("x", width),
        "two MaxPools": lambda graph, width: graph.max_pool(
            graph.max_pool("x", TWO_STAGES[width][0]), *TWO_STAGES[width][1:]
        ),
        "pairwise": lambda graph, width: graph.doubling("x", width),
        "MaxPool, dilation 4": lambda graph, width: graph.max_pool("x", width, 4),
    }
    for image in (False, True):
        rows = {}
        for channels, width in MAXIMA:
            found = []
            for name, form in forms.items():
                graph = Graph(channels, image=image)
                found.append(graph.variant(form(graph, width), name))
            rows[f"{channels} channels, width {width}"] = found
        title = f"Sliding maxima of {'(1, C, 1, T)' if image else '(1, C, T)'}, one thread: M positions/s"
        print_rates(title, list(forms), rows, stretch, seconds)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", "-t", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.25, help="of one measurement")
    parser.add_argument("--only", nargs="+", choices=["tiles", "layouts", "maxima"])
    options = parser.parse_args()
    wanted = options.only or ["tiles", "layouts", "maxima"]
    codes = np.random.default_rng(1).integers(0, 4, 1_000_000, dtype=np.uint8)
    stretches = {case.key: Stretch(codes, case) for case in CASES}
    if "tiles" in wanted:
        tiles(stretches, options.threads, options.seconds)
    # The rates below count positions, as at stride 1.
    positions = stretches["tss"]
    if "layouts" in wanted:
        layouts(positions, options.seconds)
    if "maxima" in wanted:
        maxima(positions, options.seconds)


if __name__ == "__main__":
    main()
