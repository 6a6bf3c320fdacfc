"""A model as a web page runs it: graphs over a stretch of genome, and all that JavaScript needs to feed and read them.

::

    model.onnx --compile_dense--> NAME.predictions.onnx            codes (1, T) -> each output (1, K, W)
               --compile_dense_contributions--> NAME.contributions.onnx
                                    codes, classes (G,), weights (G, W) -> contributions.0 (T,), ...

The reader is ``plugins/igv/trackgen-model-windows.js``. Weights are fed in, not multiplied by probabilities in the
graph: so one graph serves every weight and models that read both strands, and the page has the predictions already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackgen.card import Card, load_model, read_card
from trackgen.errors import ModelError
from trackgen.genome.tiling import Grid
from trackgen.graph import DenseModel, NotDense, NotExplained, compile_dense, compile_dense_contributions
from trackgen.live.description import describe_model
from trackgen.live.limits import Limits
from trackgen.scan.digest import file_sha256

__all__ = ["MOST_BYTES", "PAGE_LIMITS", "NotForPages", "PageModel", "compile_for_page"]

MOST_BYTES = 40_000_000
"""Of a model's graphs together: what a page loads before it predicts anything."""
PAGE_LIMITS = Limits(predictions=200_000, contributions=50_000, whatif=20_000, mutagenesis=400, edits=100)
"""Of questions to a page: what one thread of WebAssembly answers within about ten seconds."""
SERVE = "show it with `trackgen serve HUB --model MODEL --genome GENOME`"


class NotForPages(ModelError):
    """A model that a page can't run by itself; a server may."""


@dataclass(frozen=True)
class PageModel:
    """A model for pages.

    Attributes:
        files: name in the hub -> bytes.
        entry: the model in live.json: the protocol's description of it, and ``page`` for the page's own code.
    """

    files: Mapping[str, bytes]
    entry: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(data) for data in self.files.values())


def compile_for_page(path: Path, card: Card | None = None, *, most_bytes: int = MOST_BYTES) -> PageModel:
    """Compile a model into what a page runs.

    Args:
        path: the ONNX file.
        card: None for the one inside.
        most_bytes: of its graphs together.

    Raises:
        NotForPages: it reads more than the sequence, predicts profiles, runs as windows only, or is too large.
        ModelError: the model or its card is broken.
    """
    card = card or read_card(path)
    _refuse_inputs_and_outputs(path, card)
    model = load_model(path)
    dense = _dense(path, model, card)
    graphs = {"predictions": dense.model}
    note = ""
    try:
        # One class at a time: each slot more is a way back of its own, though nobody asked for it.
        slots = [output.name for output in card.outputs]
        graphs["contributions"] = compile_dense_contributions(model, card, card.stride, slots, tuned=False).model
    except (NotDense, NotExplained) as error:
        note = f"no contributions in a page: {error.reason}"
    named = {kind: (f"{card.name}.{kind}.onnx", graph.SerializeToString()) for kind, graph in graphs.items()}
    result = PageModel(dict(named.values()), _entry(path, card, dense, named, note))
    if result.size > most_bytes:
        raise NotForPages(
            f"model {card.name} is too large for a page",
            path=path,
            found=f"{result.size / 1e6:.1f} MB of graphs",
            wanted=f"at most {most_bytes / 1e6:g} MB",
            remedy=SERVE,
        )
    return result


def _refuse_inputs_and_outputs(path: Path, card: Card) -> None:
    for spec in card.inputs:
        if spec.kind != "sequence":
            raise NotForPages(
                f"model {card.name} reads more than the sequence, and a page has nothing else",
                path=path,
                found=f"input {spec.name} ({spec.kind})",
                wanted="one input, the sequence",
                remedy=SERVE,
            )
    for output in card.outputs:
        if output.resolution is not None:
            raise NotForPages(
                f"model {card.name} predicts profiles, which a page does not draw",
                path=path,
                found=f"output {output.name}",
                wanted="one value a window",
                remedy=SERVE,
            )


def _dense(path: Path, model: Any, card: Card) -> DenseModel:
    try:
        # WebAssembly runs the forms that are quickest on a CPU no faster than plain sums, and those are half as large.
        return compile_dense(model, card, card.stride, tuned=False)
    except NotDense as error:
        raise NotForPages(
            f"model {card.name} only runs as windows, and a page runs dense graphs",
            path=path,
            found=error.why,
            remedy=SERVE,
        ) from error


def _entry(
    path: Path, card: Card, dense: DenseModel, named: Mapping[str, tuple[str, bytes]], note: str
) -> dict[str, Any]:
    explained = {entry.name for entry in card.classes} if "contributions" in named else set[str]()
    grid = Grid(card.window, card.bin, card.stride)
    (codes,) = dense.inputs
    page: dict[str, Any] = {
        "sha256": file_sha256(path),
        "card": card.to_dict(),
        "window": card.window,
        "stride": card.stride,
        "pad": grid.pad,
        "tail": grid.tail,
        "offset": grid.offset,
        "strands": card.strands,
        "input": codes.name,
        "outputs": [
            {
                "name": output.name,
                "classes": [
                    {"name": entry.name, "partner": output.partner(index)} for index, entry in enumerate(output.classes)
                ],
            }
            for output in card.outputs
        ],
        **{kind: {"file": file, "bytes": len(data)} for kind, (file, data) in named.items()},
    }
    if "contributions" in named:
        page["contributions"]["slots"] = [output.name for output in card.outputs]
    return {**describe_model(card, "dense", explained=explained, note=note), "page": page}
