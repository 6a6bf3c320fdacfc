"""Two pictures of a search: its tree, and the error by epoch (Fishman and Gurev's Figures 7 and 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trackgen.learn.plots import COLORS, new_figure, save_figure

__all__ = ["plot_search_loss", "plot_search_tree"]

Records = Sequence[Mapping[str, Any]]
QUIET = "#999999"
MARKERS = {"wider": "s", "deeper": "^", "input": "D", "": "o"}
WORDS = {"wider": "wider", "deeper": "deeper", "input": "input joined", "": "start, or unchanged"}


def chosen_nets(records: Records) -> list[str]:
    """The best net of each step, from step 0."""
    steps = {record["step"]: record["best"] for record in records if record["kind"] == "step"}
    return [steps[step] for step in sorted(steps)]


def plot_search_tree(records: Records, path: Path) -> None:
    """Every net at its step and its error on validation, joined to its parent; the way that was chosen in red.

    Nets that diverged have no place. The axis of errors is cut above twice the start's.
    """
    nets = {record["net"]: record for record in records if record["kind"] == "net" and record["validation"] is not None}
    chosen = chosen_nets(records)
    way = set(chosen)
    figure, (axis,) = new_figure(1, width=9.0, height=4.6)
    for net, record in nets.items():
        parent = nets.get(record["parent"])
        if parent is None or net.startswith("final"):
            continue
        ends = [[parent["step"], record["step"]], [parent["validation"], record["validation"]]]
        axis.plot(*ends, color=COLORS[0] if net in way else "#cccccc", linewidth=1.6 if net in way else 0.6,
                  zorder=2 if net in way else 1)  # fmt: skip
    for kind, marker in MARKERS.items():
        of_kind = [record for net, record in nets.items() if _kind(record) == kind and not net.startswith("final")]
        for inside, color in ((False, QUIET), (True, COLORS[0])):
            drawn = [record for record in of_kind if (record["net"] in way) == inside]
            named = drawn and (inside or len(drawn) == len(of_kind))
            axis.scatter([record["step"] for record in drawn], [record["validation"] for record in drawn],
                         marker=marker, s=26 if inside else 12, color=color, zorder=3 if inside else 2,
                         label=WORDS[kind] if named else None)  # fmt: skip
    axis.step(range(len(chosen)), [nets[net]["validation"] for net in chosen], where="post", color=COLORS[0],
              linewidth=0.8, linestyle=":", label="best so far")  # fmt: skip
    lowest, start = min(record["validation"] for record in nets.values()), nets[chosen[0]]["validation"]
    axis.set(ylim=(lowest - 0.05 * (start - lowest + 1e-9), min(2 * start, _highest(nets.values(), start))))
    axis.set(xlabel="step of the search", ylabel="MSE, validation")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(fontsize=8)
    save_figure(figure, path)


def _highest(nets: Any, start: float) -> float:
    return float(max(start, *(record["validation"] for record in nets))) + 0.05 * start


def _kind(record: Mapping[str, Any]) -> str:
    """The last change of a net."""
    return str(record["changes"][-1]["kind"]) if record["changes"] else ""


def plot_search_loss(records: Records, path: Path) -> None:
    """Error of training and validation by epoch: the start's, then of the best child of each step, chosen or not.

    A line stands at each warm restart, dotted where no child was better than its parent.
    """
    nets = [record for record in records if record["kind"] == "net" and record["validation"] is not None]
    way = set(chosen_nets(records))
    figure, (axis,) = new_figure(1, width=9.0)
    epoch, rows = 0, []
    for step in sorted({record["step"] for record in nets}):
        of_step = [record for record in nets if record["step"] == step and not record["net"].startswith("final")]
        best = min(of_step, key=lambda record: float(record["validation"]))
        if epoch:
            axis.axvline(epoch + 0.5, color=QUIET, linewidth=0.6, linestyle="-" if best["net"] in way else ":")
        rows += [(epoch + i, *row) for i, row in enumerate(best["history"], start=1)]
        epoch += len(best["history"])
    axis.plot([row[0] for row in rows], [row[1] for row in rows], color=COLORS[2], label="training", linewidth=1)
    axis.plot([row[0] for row in rows], [row[2] for row in rows], color=COLORS[0], label="validation", linewidth=1.2)
    tests = [(record["step"], record["test"]) for record in records if record["kind"] == "step"]
    ends = _ends(nets)
    axis.plot([ends[step] for step, _ in tests], [test for _, test in tests], color=COLORS[1], linewidth=1,
              marker="o", markersize=3, label="test, of the best so far")  # fmt: skip
    axis.set(xlabel="epoch of the search, of the best child of each step", ylabel="MSE")
    axis.legend(fontsize=8)
    save_figure(figure, path)


def _ends(nets: Records) -> dict[int, int]:
    """Step -> epochs until its end, of one net a step."""
    ends: dict[int, int] = {}
    epoch = 0
    for step in sorted({record["step"] for record in nets}):
        epoch += max(
            len(record["history"])
            for record in nets
            if record["step"] == step and not record["net"].startswith("final")
        )
        ends[step] = epoch
    return ends
