"""Which extra brings a library that is missing."""

from __future__ import annotations

from trackgen.errors import UsageError

__all__ = ["missing_extra"]

EXTRA_OF = {
    "torch": "train",
    "onnxscript": "train",
    "sklearn": "train",
    "scipy": "train",
    "optuna": "train",
    "pybedtools": "train",
    "memelite": "train",
    "macs3": "peaks",
    "matplotlib": "plot",
    "pybigtools": "genes",
    "starlette": "serve",
    "uvicorn": "serve",
    "distributed": "cluster",
}


def missing_extra(error: ModuleNotFoundError) -> UsageError | None:
    """What to tell when an import failed; None where the library belongs to no extra, so that it is a fault of ours."""
    library = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(library)
    if extra is None:
        return None
    return UsageError(
        f"this command needs {library}, which is not installed",
        remedy=f"run `pip install 'trackgen[{extra}]'` (in a checkout: `pip install '.[{extra}]'`)",
    )
