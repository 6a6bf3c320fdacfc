"""Finds the files that ship with trackgen, in an installed wheel or in a checkout.

A wheel holds ``hub_templates/``, ``exported_models/`` and ``plugins/`` inside the package; a checkout has them at its
top level.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from trackgen.errors import ModelError, TrackgenError, UsageError

__all__ = [
    "CDN",
    "IGV_JS",
    "JBROWSE",
    "ONNX_RUNTIME",
    "BrowserCode",
    "browser_assets",
    "browser_plugins",
    "exported_models",
    "find_model",
    "hub_templates",
    "shipped_models",
]

MODEL_FILE = "model.onnx"
CDN = "https://cdn.jsdelivr.net/npm"


@dataclass(frozen=True)
class BrowserCode:
    """Third-party code that the pages of a hub load, at the version that plugins/assets/package-lock.json pins.

    Attributes:
        title: what people call it.
        file: its name in the folder of assets and in hubs; `licence` is its licence there.
        address: the same file at a public address, for pages where it is not installed.
        others: more files, which the first one loads from beside it.
    """

    title: str
    version: str
    file: str
    licence: str
    address: str
    others: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The script, what it loads and its licence, which go together."""
        return self.file, *self.others, self.licence


_IGV, _JBROWSE, _ONNX_RUNTIME = "3.8.10", "4.3.0", "1.30.0"
IGV_JS = BrowserCode("igv.js", _IGV, "igv.esm.min.js", "igv.LICENSE.txt", f"{CDN}/igv@{_IGV}/dist/igv.esm.min.js")
JBROWSE = BrowserCode(
    "JBrowse 2",
    _JBROWSE,
    "jbrowse.umd.min.js",
    "jbrowse.LICENSE.txt",
    f"{CDN}/@jbrowse/react-app2@{_JBROWSE}/dist/react-app.umd.production.min.js",
)
ONNX_RUNTIME = BrowserCode(
    "onnxruntime-web",
    _ONNX_RUNTIME,
    "ort.wasm.min.mjs",
    "onnxruntime.LICENSE.txt",
    f"{CDN}/onnxruntime-web@{_ONNX_RUNTIME}/dist/ort.wasm.min.mjs",
    ("ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
)

_PACKAGE = Path(__file__).resolve().parent


def _shipped(folder: str) -> Path:
    for candidate in (_PACKAGE / folder, _PACKAGE.parent / folder):
        if candidate.is_dir():
            return candidate
    raise TrackgenError(
        f"the folder {folder}, which ships with trackgen, is not installed",
        wanted=f"{_PACKAGE / folder}",
        remedy="install trackgen again",
    )


def hub_templates() -> Path:
    """The folder of text templates for hubs and pages."""
    return _shipped("hub_templates")


def exported_models() -> Path:
    """The folder of shipped models: one folder a model, with ``model.onnx`` and ``README.md``."""
    return _shipped("exported_models")


def browser_assets() -> Path | None:
    """The folder of third-party browser code that ``make assets`` fills, or None where it was not run."""
    folder = _PACKAGE / "serve" / "assets"
    return folder if folder.is_dir() else None


def browser_plugins() -> dict[str, Path]:
    """Our own files that a genome browser loads, ``trackgen-jbrowse.js`` and the like, by file name.

    Raises:
        TrackgenError: none is installed.
    """
    folder = _shipped("plugins")
    found = {path.name: path for path in sorted(folder.glob("*/trackgen-*.js"))}
    if not found:
        raise TrackgenError(
            "the plugins for genome browsers, which ship with trackgen, are not installed",
            path=folder,
            wanted="trackgen-jbrowse.js in a folder below",
            remedy="install trackgen again",
        )
    return found


def shipped_models() -> dict[str, Path]:
    """The model files that ship with trackgen, by name."""
    return {path.parent.name: path for path in sorted(exported_models().glob(f"*/{MODEL_FILE}"))}


def find_model(text: str) -> Path:
    """The model file that `text` means: a path, or the name of a shipped model.

    Raises:
        ModelError: it reads like a path, and no such file exists.
        UsageError: it reads like a name, and no such model ships with trackgen.
    """
    path = Path(text)
    if path.is_file():
        return path
    shipped = shipped_models()
    if text in shipped:
        return shipped[text]
    near = difflib.get_close_matches(text.lower(), shipped, 1, cutoff=0.5)
    if len(path.parts) > 1 or path.suffix or path.exists():
        what = "this is a folder, not a model" if path.is_dir() else "the model file does not exist"
        raise ModelError(what, path=path, wanted="an ONNX file, or the name of a shipped model")
    raise UsageError(
        "there is no such file and no shipped model of this name",
        place="MODEL",
        found=text,
        wanted=", ".join(shipped) or "a path to an ONNX file",
        remedy=f"did you mean {near[0]}" if near else "`trackgen model list` shows the shipped models",
    )
