"""What a search came to: the error of its best net by step, as in Fishman and Gurev's Figure 8, and its cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trackgen.learn.nash.morphisms import Change
from trackgen.learn.tss_report import markdown_table

__all__ = ["nash_section", "search_figures"]

EVERY = 5
"""Steps between two rows of the table."""


def search_figures(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The steps of a search, the changes that were chosen, and its cost.

    Returns:
        ``steps``: for each step the best net, its layers, weights, and errors on training (while it was trained),
        validation and test; ``nets``: trained, ``diverged``: among them; ``seconds``: of one core, in all;
        ``changes``: of the way from the start to the best; ``final``: the record of the best net trained on, or None.
    """
    nets = {record["net"]: record for record in records if record["kind"] == "net"}
    steps = [record for record in records if record["kind"] == "step"]
    best = nets[steps[-1]["best"]]
    finals = [record for name, record in nets.items() if name.startswith("final") and record["parent"] == best["net"]]
    way = [best]
    while way[0]["parent"] is not None:
        way.insert(0, nets[way[0]["parent"]])
    return {
        "steps": [
            {
                "step": step["step"], "net": step["best"], "words": nets[step["best"]]["spec_text"],
                "parameters": nets[step["best"]]["parameters"], "train": nets[step["best"]]["train"],
                "validation": step["validation"], "test": step["test"],
            }
            for step in steps
        ],
        "nets": len(nets), "diverged": sum(record["validation"] is None for record in nets.values()),
        "seconds": round(sum(record["seconds"] for record in nets.values()), 1),
        "changes": [{"step": net["step"], **change} for net in way for change in net["changes"]],
        "final": {name: finals[-1][name] for name in ("train", "validation", "seconds")} if finals else None,
    }  # fmt: skip


def nash_section(figures: Mapping[str, Any]) -> str:
    """How the net was found, in Markdown."""
    found = figures["search"]
    steps = found["steps"]
    shown = [step for step in steps if step["step"] % EVERY == 0 or step is steps[-1]]
    rows = [
        [str(step["step"]), step["words"], f"{step['parameters']:,}",
         *(f"{step[name]:.4f}" for name in ("train", "validation", "test"))]
        for step in shown
    ]  # fmt: skip
    first, last = steps[0], steps[-1]
    fall = 1 - last["validation"] / first["validation"]
    lost = f", of which {found['diverged']} diverged" if found["diverged"] else ""
    header = ["step", "best net", "weights", "MSE, training", "validation", "test"]
    return f"""## Hill climbing

{found["nets"]} nets were trained{lost}, in {found["seconds"]:,.0f} seconds of one core. The error on validation fell by
{fall:.1%} from the start to step {last["step"]}, from {first["validation"]:.4f} to {last["validation"]:.4f}; that on
test, which chose nothing, from {first["test"]:.4f} to {last["test"]:.4f}. {_final_sentence(found["final"], last)}

{markdown_table(header, rows)}

{_way(found["changes"])}

![the tree of the search](report/tree.png)

![error by epoch](report/loss.png)"""


def _final_sentence(final: Mapping[str, Any] | None, last: Mapping[str, Any]) -> str:
    if final is None:
        return "The net was not trained on at the end."
    if final["validation"] is None or final["validation"] >= last["validation"]:
        return "Training it on at the end made it no better, so that it is the net of the last step."
    return f"Trained on at the end, it has {final['validation']:.4f} on validation."


def _way(changes: Sequence[Mapping[str, Any]]) -> str:
    if not changes:
        return "No change of the start was chosen."
    words = (
        f"step {change['step']}, {Change(change['kind'], change['layer'], change['size'])}" for change in changes
    )  # fmt: skip
    return "The changes that were chosen: " + "; ".join(words) + "."
