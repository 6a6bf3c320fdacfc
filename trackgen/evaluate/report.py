"""An evaluation as files: ``evaluation.json``, a curve for each track as TSV, and the picture of all curves."""

from __future__ import annotations

import importlib.util
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trackgen import __version__
from trackgen.errors import UsageError
from trackgen.evaluate.agreement import MEASURES, Agreement, Comparison
from trackgen.evaluate.bootstrap import Interval95
from trackgen.evaluate.curve import FALSE_SHARES, Figures, Point
from trackgen.evaluate.job import EvaluateOptions, Evaluation

__all__ = ["check_output", "described", "summary_lines", "write_evaluation"]

SCHEMA_VERSION = 1
JSON, PICTURE = "evaluation.json", "precision-recall.png"
CURVE = ".curve.tsv"
DIGITS = 6
"""Significant digits of figures in files."""
SCORE_DIGITS = 9
"""Of scores: with fewer a threshold may leave out the very bins that it was read from (float32 needs 9)."""


def check_output(folder: Path) -> None:
    """Refuse what cannot become the folder of a report, before any work.

    Raises:
        UsageError: it is a file, or lies below one.
    """
    for path in (folder, *folder.absolute().parents):
        if path.exists() and not path.is_dir():
            raise UsageError("the folder cannot be made", path=folder, place="-o", found=f"{path} is a file")


def write_evaluation(folder: Path, options: EvaluateOptions, found: Sequence[Evaluation]) -> tuple[list[Path], bool]:
    """Write the files of an evaluation into `folder`; an earlier evaluation there is replaced.

    Returns:
        The files, and whether Matplotlib is there for the picture; curves and picture are of labels alone.

    Raises:
        UsageError: `folder` is a file, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError("the folder cannot be made", path=folder, place="-o", found=error.strerror) from None
    names, old = curve_names(found), _listed(folder / JSON)
    written = [folder / f"{name}{CURVE}" for name in names if options.labels]
    for path, entry in zip(written, found, strict=False):
        _replace(path, _curve_text(entry.figures))
    pictured = importlib.util.find_spec("matplotlib") is not None
    if pictured and options.labels:
        from trackgen.evaluate.picture import plot_curves

        written.append(folder / PICTURE)
        plot_curves(dict(zip(names, found, strict=True)), written[-1])
    values = described(options, found) | {"files": sorted(path.name for path in written)}
    _replace(folder / JSON, json.dumps(values, indent=1) + "\n")
    for name in old - {path.name for path in written}:
        (folder / name).unlink(missing_ok=True)
    return [folder / JSON, *written], pictured


def _listed(path: Path) -> set[str]:
    """The files that an earlier report names, as far as it can be read."""
    try:
        names = [str(name) for name in json.loads(path.read_text(encoding="utf-8"))["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in names if Path(name).name == name and (name.endswith(CURVE) or name == PICTURE)}


def curve_names(found: Sequence[Evaluation]) -> list[str]:
    """A name for each track: its file's without the suffix, numbered where that is not enough."""
    stems = [entry.track.name.removesuffix(".bw").removesuffix(".bigwig") for entry in found]
    taken = {stem for stem in stems if stems.count(stem) == 1}
    names = []
    for number, stem in enumerate(stems, 1):
        name = stem if stem in taken else f"{stem}.{number}"
        while stem not in taken and name in taken:
            name += "_"
        names.append(name)
        taken |= {name} - {stem}
    return names


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{os.getpid()}.tmp.{path.name}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _curve_text(figures: Figures) -> str:
    rows = [("threshold", "called", "right", "precision", "recall")]
    rows += [
        (_text(p.score, SCORE_DIGITS), str(p.called), str(p.right), *_shares(p, figures.bound)) for p in figures.curve
    ]
    return "".join("\t".join(row) + "\n" for row in rows)


def _shares(point: Point, bound: int) -> tuple[str, str]:
    return _text(point.right / max(point.called, 1)), _text(point.right / max(bound, 1))


def _text(value: float, digits: int = DIGITS) -> str:
    return f"{value:.{digits}g}"


def described(options: EvaluateOptions, found: Sequence[Evaluation]) -> dict[str, Any]:
    """The values of evaluation.json: file names only, no folders."""
    return {
        "schema_version": SCHEMA_VERSION,
        "trackgen": __version__,
        "kind": "evaluation",
        **_against(options, found[0]),
        "where": {
            "genome": options.genome and options.genome.name,
            "regions": [Path(text).name if os.sep in text else text for text in options.regions],
            "chroms": list(options.chroms),
            "exclude": [path.name for path in options.exclude],
        },
        "bins": {"width": options.bin_width, "stride": options.bin_stride, "statistic": options.bin_statistic},
        "ambiguous_as": options.ambiguous_as,
        "bootstrap": {"replicates": options.bootstrap, "seed": options.seed},
        "tracks": [_track(options, entry) for entry in found],
    }


def _against(options: EvaluateOptions, first: Evaluation) -> dict[str, Any]:
    """What the tracks are held against: labels, a signal."""
    result: dict[str, Any] = {}
    if options.labels:
        result["labels"] = {
            "file": options.labels.name, "ambiguous": options.ambiguous and options.ambiguous.name,
            "column": options.column, "peak_width": first.peak_width,
        }  # fmt: skip
    if options.signal:
        result["signal"] = {
            "file": options.signal.name, "missing": "zero" if options.zeros else "left-out",
            "covered": "bins whose true value is not 0",
        }  # fmt: skip
    return result


def _track(options: EvaluateOptions, entry: Evaluation) -> dict[str, Any]:
    result: dict[str, Any] = {
        "track": entry.track.name,
        "bins": dict(entry.labels) | {"without_value": entry.without_value},
    }
    if entry.comparison:
        result["signal"] = _comparison(entry.comparison)
    if options.labels:
        result |= _labelled(entry)
    if entry.intervals or (entry.comparison and entry.comparison.every.intervals):
        result["blocks"] = {"number": entry.blocks, "bases": entry.block, "scores_told_apart": entry.told_apart}
    return result


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "left_out": comparison.left_out,
        "all": _agreement(comparison.every),
        "covered": _agreement(comparison.covered),
    }


def _agreement(found: Agreement) -> dict[str, Any]:
    means = {"truth_mean": _number(found.truth_mean), "track_mean": _number(found.track_mean)}
    return {"bins": found.bins, **means} | {
        name: _with_interval(getattr(found, name), found.interval(name)) for name in MEASURES
    }


def _labelled(entry: Evaluation) -> dict[str, Any]:
    """The figures against labels."""
    figures, intervals = entry.figures, entry.intervals
    recalls = intervals.recalls if intervals else (None,) * len(FALSE_SHARES)
    result: dict[str, Any] = {
        "prevalence": _number(figures.prevalence),
        "auroc": _with_interval(figures.auroc, intervals and intervals.auroc),
        "auprc": _with_interval(figures.auprc, intervals and intervals.auprc),
    }
    for share, interval in zip(FALSE_SHARES, recalls, strict=True):
        result[f"recall_at_{100 * share:g}_fdr"] = _with_interval(figures.recalls[share], interval)
    result["thresholds"] = {name: _point(point, figures) for name, point in figures.thresholds.items()}
    if figures.at:
        result["at"] = [_point(point, figures) for point in figures.at]
    other = entry.other
    result["ambiguous_the_other_way"] = {
        "auroc": _number(other.auroc),
        "auprc": _number(other.auprc),
        **{f"recall_at_{100 * share:g}_fdr": _number(other.recalls[share]) for share in FALSE_SHARES},
    }
    return result


def _with_interval(value: float, interval: Interval95 | None) -> dict[str, float | None]:
    result = {"value": _number(value)}
    if interval is not None:
        result |= {"low": _number(interval[0]), "high": _number(interval[1])}
    return result


def _point(point: Point, figures: Figures) -> dict[str, float | int | None]:
    return {
        "threshold": _number(point.score, SCORE_DIGITS),
        "called": point.called,
        "precision": _number(point.right / point.called) if point.called else None,
        "recall": _number(point.right / figures.bound) if figures.bound else None,
    }


def _number(value: float, digits: int = DIGITS) -> float | None:
    """A figure with as many digits as mean something; null where it is none."""
    return float(_text(value, digits)) if math.isfinite(value) else None


def summary_lines(options: EvaluateOptions, found: Sequence[Evaluation]) -> list[str]:
    """A table for stdout, between tabs: one line a track, below a line of names."""
    head = ["track"]
    if options.labels:
        head += ["bins", "bound", "AUROC", "AUPRC", *(f"recall at {100 * share:g} % FDR" for share in FALSE_SHARES)]
    if options.signal:
        for where in ("all", "covered"):
            head += [f"{where} bins", *(f"{name}, {where}" for name in ("MSE", "Pearson", "Spearman"))]
    return ["\t".join(head), *("\t".join(_summary(options, entry)) for entry in found)]


def _summary(options: EvaluateOptions, entry: Evaluation) -> list[str]:
    figures, intervals = entry.figures, entry.intervals
    cells = [entry.track.name]
    if options.labels:
        recalls = intervals.recalls if intervals else (None,) * len(FALSE_SHARES)
        cells += [
            str(figures.bound + figures.others),
            str(figures.bound),
            _cell(figures.auroc, intervals and intervals.auroc),
            _cell(figures.auprc, intervals and intervals.auprc),
            *(_cell(figures.recalls[share], interval) for share, interval in zip(FALSE_SHARES, recalls, strict=True)),
        ]
    if entry.comparison:
        for part in (entry.comparison.every, entry.comparison.covered):
            cells += [str(part.bins)]
            cells += [_cell(getattr(part, name), part.interval(name)) for name in MEASURES]
    return cells


def _cell(value: float, interval: Interval95 | None) -> str:
    if not math.isfinite(value):
        return "none"
    return f"{value:.4f}" + (f" ({interval[0]:.4f} to {interval[1]:.4f})" if interval else "")
