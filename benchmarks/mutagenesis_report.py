"""docs/benchmarks/mutagenesis.md and its picture, out of the records of benchmarks/mutagenesis.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trackgen.learn.tss_report import markdown_table

__all__ = ["FOLDER", "RECORDS", "document", "draw"]

FOLDER = Path(__file__).parent.parent / "docs" / "benchmarks"
RECORDS = FOLDER / "mutagenesis"
PICTURE = FOLDER.parent / "pictures" / "mutagenesis.png"

HEAD = """# The all-SNV estimate beside exact mutagenesis

Made by `python benchmarks/mutagenesis.py report` from the records in [mutagenesis/](mutagenesis/); no figure is written
by hand.

`trackgen scan --contrib ... --hypothetical-tracks` writes what A, C, G and T would contribute at every base. The track
of a base less that of the base which stands there estimates what the change does to the logit, from one walk back
through the model and without running it on any changed sequence. Here the estimate, as the tracks hold it, stands
beside the truth: every base of the windows changed to each of the three others, the model run anew. Both are means
over the windows that hold the base, weighted alike (`--contrib-weight`): the called windows alone, or all windows by
their probability. Sites are calls, drawn by chance, on chromosomes that no model was trained on; all bases of a called
window are changed.

"""
TAIL = """
![Estimated and exact changes of single bases](../pictures/mutagenesis.png)

*Large changes* are the tenth with the largest exact effect; *right sign* counts those whose estimate has the sign of
the truth. *Slope* is that of exact on estimated changes: below 1 the estimate says too much, above 1 too little. The
pairs in the picture are of the weight `calls`.

The estimate holds the model's multipliers fixed, so it knows nothing of what the new base would switch on or off: it is
good where a base's part is nearly additive, and blind where a change makes or breaks a motif whose other bases are
already saturated. Take it to find what to look at; `trackgen score` is exact.
"""


COST = """
## What it costs

Scans of yeast's chrXVI (.95 Mb, all strands) with contributions of one class, without and with `--hypothetical-tracks`,
in seconds of one processor: the better of two turns each, start of the program included. The walk back is the same;
four more tracks are summed up, packed and written.

"""


def cost_table(rows: Sequence[dict[str, Any]]) -> str:
    """The section on what the tracks cost."""
    head = [
        "model",
        "class",
        "windows by",
        "seconds without",
        "with",
        "memory without, MiB",
        "with",
        "MB without",
        "with",
    ]
    cells = []
    for row in rows:
        pair = [row["without"], row["with"]]
        cells.append([
            f"`{row['model']}`", row["class"], f"`{row['weight']}`", *(f"{one['seconds']:.1f}" for one in pair),
            *(f"{one['memory'] / 2**20:.0f}" for one in pair), *(f"{one['bytes'] / 1e6:.1f}" for one in pair),
        ])  # fmt: skip
    return COST + markdown_table(head, cells) + "\n"


def document(records: Sequence[dict[str, Any]], costs: Sequence[dict[str, Any]]) -> str:
    """The text of docs/benchmarks/mutagenesis.md."""
    head = [
        "model", "where", "classes", "sites", "windows by", "changes", "Pearson", "Spearman",
        "Pearson of a site: 10 %, median, 90 %", "large changes with the right sign", "slope",
    ]  # fmt: skip
    rows = []
    for record in records:
        for weight, row in record["weights"].items():
            sites = ", ".join(f"{value:.2f}" for value in row["pearson_of_sites"])
            rows.append([
                f"`{record['model']}`", record["what"], str(record["classes"]), str(record["sites"]), f"`{weight}`",
                f"{row['snvs']:,}", f"{row['pearson']:.2f}", f"{row['spearman']:.2f}", sites,
                f"{row['large_same_sign']:.0%}", f"{row['slope']:.2f}",
            ])  # fmt: skip
    return HEAD + markdown_table(head, rows) + "\n" + TAIL + (cost_table(costs) if costs else "")


def draw(records: Sequence[dict[str, Any]]) -> None:
    """The picture: a panel a model."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(records), figsize=(3.1 * len(records), 3.1), layout="constrained")
    for axis, record in zip(np.atleast_1d(axes), records, strict=True):
        values = np.array(record["points"])
        limit = float(np.quantile(np.abs(values), 0.998))
        axis.axline((0, 0), slope=1, color="0.7", linewidth=0.8)
        axis.plot(values[:, 0], values[:, 1], ".", markersize=1.5, alpha=0.4, color="#0072b2", markeredgewidth=0)
        axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="estimated change, logits")
        axis.set_title(f"{record['model']}: r = {record['weights']['calls']['pearson']:.2f}", fontsize=9)
    np.atleast_1d(axes)[0].set_ylabel("exact change, logits")
    figure.savefig(PICTURE, dpi=110)
