"""The search by morphisms on yeast, and the same start trained on as long without changes, as records and pictures.

``python benchmarks/denoise_nash.py SEARCH CONTROL`` writes nash.json, nash-tree.png and nash-loss.png from the folders
of two runs of ``trackgen train nash``, of which the second had ``--changes 0 --children 1``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from denoise_pairs import RECORDS

from trackgen.learn.figures import rounded
from trackgen.learn.nash.folder import SearchFolder
from trackgen.learn.nash.morphisms import Change
from trackgen.learn.nash.pictures import plot_search_loss, plot_search_tree
from trackgen.learn.nash.report import search_figures
from trackgen.learn.tss_report import markdown_table

EVERY = 5
ERRORS = ("train", "validation", "test")


def summary(search: Path, control: Path) -> dict[str, Any]:
    """What nash.json holds: the recipe, each net in a line, steps and cost of both runs, and the report's text."""
    folder, other = SearchFolder(search), SearchFolder(control)
    records, plan = folder.records(), folder.read_plan()
    told = {"search": search_figures(records), "control": search_figures(other.records())}
    nets = [
        [record["net"], record["parent"], "; ".join(str(Change(**change)) for change in record["changes"]),
         record["parameters"], record["validation"], record["seconds"]]
        for record in records if record["kind"] == "net"
    ]  # fmt: skip
    columns = ["net", "parent", "changes", "weights", "validation", "seconds"]
    return rounded({"text": _text(told, plan, _stuck(nets)), "recipe": plan, **told, "columns": columns, "nets": nets})


def _stuck(nets: Sequence[Sequence[Any]]) -> str:
    """A sentence on the step behind which the bounds left no choice; empty where there is none."""
    changes: dict[int, set[str]] = {}
    for name, _, words, *_ in nets:
        if not str(name).startswith("final"):
            changes.setdefault(int(str(name).partition(".")[0]), set()).add(words)
    steps = max(changes)
    free = max((step for step, found in changes.items() if len(found) > 1), default=0)
    if free == steps:
        return ""
    return (
        f"The bounds were narrow: behind step {free} they left a single change, or none, so that all children of "
        "a step were the same net. "
    )


def _text(told: Mapping[str, Any], plan: Mapping[str, Any], stuck: str) -> str:
    search, control = told["search"], told["control"]
    examples, last = plan["examples"], search["steps"][-1]
    return f"""`trackgen train nash` at 10 % depth: {last["step"]} steps of {
        plan["children"]
    } children, each trained for
{plan["epochs"]} epochs of {examples[0]} stretches (the paper: 17 of 9,265) by SGD from {plan["learning_rate"]:g} to
{plan["final_rate"]:g} along a cosine; the start for {plan["start_epochs"]}. MSE over the bins of {
        examples[1]
    } stretches of
validation and {examples[2]} of test, drawn once; test chose nothing. {search["nets"]} nets took {
        search["seconds"]:,.0f}
seconds of one core, the bounds {plan["bounds"]["weights"]:,} weights and {plan["bounds"]["multiplications"]:,}
multiplications a stretch.

{
        markdown_table(
            [
                "step",
                "best net",
                "weights",
                "MSE, training",
                "validation",
                "test",
                "start trained on: validation",
                "test",
            ],
            _rows(search["steps"], control["steps"]),
        )
    }

{stuck}From the start to step {last["step"]} the error on validation falls by {
        _fall(search["steps"]):.1%}. The last two columns are
the control: the start without any change, given the same epochs as the best net of each step in turn
({_seconds(control):,.0f} seconds), which falls by {_fall(control["steps"]):.1%};
the search cost {_seconds(search) / _seconds(control):.1f} times as much. {_final(search, control)}

![Tree of the search](denoise/nash-tree.png)

![Error by epoch of the search](denoise/nash-loss.png)"""


def _rows(steps: Sequence[Mapping[str, Any]], control: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [
        [str(step["step"]), step["words"], f"{step['parameters']:,}", *(f"{step[name]:.3f}" for name in ERRORS),
         *(f"{other[name]:.3f}" for name in ERRORS[1:])]
        for step, other in zip(steps, control, strict=True) if step["step"] % EVERY == 0
    ]  # fmt: skip


def _seconds(figures: Mapping[str, Any]) -> float:
    """Of the climb, without the training at the end."""
    return float(figures["seconds"] - (figures["final"]["seconds"] if figures["final"] else 0.0))


def _fall(steps: Sequence[Mapping[str, Any]]) -> float:
    return float(1 - steps[-1]["validation"] / steps[0]["validation"])


def _final(search: Mapping[str, Any], control: Mapping[str, Any]) -> str:
    """What training on at the end makes of both."""
    parts = [
        f"{name} {figures['final']['validation']:.3f} in {figures['final']['seconds']:,.0f} seconds"
        for name, figures in (("the searched net", search), ("the control", control)) if figures["final"]
    ]  # fmt: skip
    return f"Trained on for longer at the end, on validation: {', '.join(parts)}." if parts else ""


if __name__ == "__main__":
    paths = Path(sys.argv[1]), Path(sys.argv[2])
    RECORDS.mkdir(exist_ok=True)
    (RECORDS / "nash.json").write_text(json.dumps(summary(*paths), indent=1) + "\n")
    plot_search_tree(SearchFolder(paths[0]).records(), RECORDS / "nash-tree.png")
    plot_search_loss(SearchFolder(paths[0]).records(), RECORDS / "nash-loss.png")
