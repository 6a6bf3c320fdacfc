"""JSON values -> HTML: what a card says of its training can hold anything, and all of it is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from trackgen.hub.templates import escaped

__all__ = ["facts_html", "value_html", "words"]

DEEPEST = 3


def words(key: str) -> str:
    """A key as people would write it: ``held_out`` -> ``held out``."""
    return key.replace("_", " ")


def facts_html(facts: Mapping[str, Any], depth: int = 0) -> str:
    """A definition list of `facts`; empty values are left out, and so is the list when nothing is left."""
    items = [
        f"<dt>{escaped(words(str(key)))}</dt><dd>{value_html(value, depth)}</dd>"
        for key, value in facts.items()
        if value not in (None, "", [], {}, ())
    ]
    return '<dl class="facts">\n' + "\n".join(items) + "\n</dl>" if items else ""


def value_html(value: Any, depth: int = 0) -> str:
    """One value: nested lists for objects, a table for rows of the same keys, commas for plain lists."""
    if isinstance(value, Mapping):
        return facts_html(value, depth + 1) if depth < DEEPEST else escaped(json.dumps(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        if _is_table(value):
            return _table_html(value)
        return ", ".join(value_html(item, DEEPEST) for item in value)
    return escaped(_scalar(value))


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _is_table(rows: Sequence[Any]) -> bool:
    return bool(rows) and all(isinstance(row, Mapping) and list(row) == list(rows[0]) for row in rows)


def _table_html(rows: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f'<th class="number">{escaped(words(str(key)))}</th>' for key in rows[0])
    body = "\n".join(
        "<tr>" + "".join(f'<td class="number">{value_html(value, DEEPEST)}</td>' for value in row.values()) + "</tr>"
        for row in rows
    )
    return f'<div class="tablewrap"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'
