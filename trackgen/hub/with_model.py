"""Models in a hub: the graphs that its live page runs by itself, and what says how. No server is needed then."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trackgen import __version__, resources
from trackgen.card import read_card
from trackgen.errors import ModelError, UsageError
from trackgen.hub.genome import GenomeSource
from trackgen.hub.model import Hub, HubGenome
from trackgen.hub.runs import Run
from trackgen.live.page_model import PAGE_LIMITS, NotForPages, PageModel, compile_for_page
from trackgen.progress import Progress
from trackgen.resources import CDN, ONNX_RUNTIME
from trackgen.scan.digest import file_sha256
from trackgen.scan.space import size_text

__all__ = ["DESCRIPTION", "PageModels", "live_page_runtime", "live_texts", "page_models", "put_graphs"]

DESCRIPTION = "live.json"
PageModels = Mapping[str, Sequence[PageModel]]
"""Of each genome of a hub, by its name, the models that run in its live page."""

WEBGPU = ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm")
"""The script of onnxruntime-web with WebGPU, the module and the wasm that it loads."""


def page_models(sources: Sequence[GenomeSource], files: Sequence[Path], progress: Progress) -> PageModels:
    """Compile the models of the runs for the page.

    Args:
        sources: genomes with their runs.
        files: model files, where they are not shipped ones.

    Raises:
        UsageError: a file is that of no run's model.
        ModelError: a file of a model's name is another model than the one that was scanned with, runs are of two models
            of one name, or no model can run in a page.
    """
    given = _given(files, sources)
    _refuse_namesakes([run for source in sources for run in source.runs])
    compiled: dict[tuple[str, str], PageModel | None] = {}
    reasons: list[NotForPages] = []
    found: dict[str, list[PageModel]] = {}
    for source in sources:
        for run in source.runs:
            for key in run.digests.items():
                if key not in compiled:
                    compiled[key] = _compiled(run, *key, given, reasons)
                model = compiled[key]
                if model is not None and model not in found.setdefault(source.id, []):
                    found[source.id].append(model)
    if not found:
        raise reasons[0]
    for reason in reasons:
        progress.note(f"not in the live page: {reason.what}")
    for model in {id(model): model for models in found.values() for model in models}.values():
        progress.note(f"{model.entry['name']} runs in the live page: {size_text(model.size)} of graphs")
    return found


def _refuse_namesakes(runs: Sequence[Run]) -> None:
    """Refuse different models of one name: a page tells models by their names, and their graphs' files, too."""
    first: dict[str, tuple[str, Run]] = {}
    for run in runs:
        for name, digest in run.digests.items():
            known, before = first.setdefault(name, (digest, run))
            if digest and known and digest != known:
                raise ModelError(
                    f"the runs are of two models of the name {name}, and a live page has one of a name",
                    path=run.folder / "run.json",
                    found=f"sha256 {digest[:16]}",
                    wanted=f"sha256 {known[:16]}, as in {before.folder / 'run.json'}",
                    remedy="build a hub of each, leave out --with-model, or export one of them under another name",
                )


def _compiled(
    run: Run, name: str, digest: str, given: Mapping[str, Path], reasons: list[NotForPages]
) -> PageModel | None:
    """The model of a run; None where it can't run in a page, for a reason that is added to `reasons`."""
    path = given.get(name) or resources.shipped_models().get(name)
    if path is None:
        reasons.append(
            NotForPages(
                f"the file of model {name} is not known",
                path=run.folder / "run.json",
                wanted=f"the file with sha256 {digest[:16]}",
                remedy="give it with --model FILE",
            )
        )
        return None
    found = file_sha256(path)
    if digest and found != digest:
        raise ModelError(
            f"this is not the model {name} that the tracks were made with",
            path=path,
            found=f"sha256 {found[:16]}",
            wanted=f"sha256 {digest[:16]}, as in {run.folder / 'run.json'}",
            remedy="give the file that was scanned with as --model FILE, or scan again",
        )
    try:
        return compile_for_page(path)
    except NotForPages as reason:
        reasons.append(reason)
        return None


def _given(files: Sequence[Path], sources: Sequence[GenomeSource]) -> dict[str, Path]:
    """The files by their models' names."""
    names = {name for source in sources for run in source.runs for name in run.digests}
    given: dict[str, Path] = {}
    for path in files:
        name = read_card(path).name
        if name not in names:
            raise UsageError(
                "no run is of this model", path=path, place="--model", found=name, wanted=", ".join(sorted(names))
            )
        given[name] = path
    return given


def put_graphs(models: PageModels, folder: Path) -> None:
    """Write the graphs of all models into the hub's folder."""
    for model in (model for some in models.values() for model in some):
        for name, data in model.files.items():
            (folder / name).write_bytes(data)


def live_texts(hub: Hub, models: PageModels) -> dict[str, str]:
    """The descriptions of the models, by the names of their files: one for each genome that has any."""
    return {
        hub.file_of(genome, DESCRIPTION): json.dumps(_description(genome, models[genome.id]), indent=1) + "\n"
        for genome in hub.genomes
        if genome.id in models
    }


def _description(genome: HubGenome, models: Iterable[PageModel]) -> dict[str, Any]:
    """The protocol's description, with what the page's own engine needs besides."""
    return {
        "schema_version": 1,
        "trackgen": __version__,
        "genome": {"id": genome.id, "lengths": {name: length for name, length in genome.lengths.items() if length}},
        "limits": PAGE_LIMITS.to_dict(),
        "keep": False,
        "models": [model.entry for model in models],
        "runtime": live_page_runtime(),
    }


def live_page_runtime() -> dict[str, Any]:
    """Where the page gets onnxruntime-web: from beside itself, else from `address`."""
    address = f"{CDN}/onnxruntime-web@{ONNX_RUNTIME.version}/dist/"
    scripts = {"wasm": (ONNX_RUNTIME.file, *ONNX_RUNTIME.others), "webgpu": WEBGPU}
    return {
        "version": ONNX_RUNTIME.version,
        **{
            provider: {"script": script, "module": module, "wasm": wasm, "address": address}
            for provider, (script, module, wasm) in scripts.items()
        },
    }
