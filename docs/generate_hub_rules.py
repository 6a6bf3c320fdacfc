#!/usr/bin/env python3
"""Write the table of rules in docs/hub-check.md from the linter's own.

``python docs/generate_hub_rules.py`` writes it; a test fails when it is not current.
"""

from __future__ import annotations

from pathlib import Path

from trackgen.hub.check import RULES

TARGET = Path(__file__).with_name("hub-check.md")
BEGIN, END = "<!-- rules: made by docs/generate_hub_rules.py -->\n", "<!-- end of rules -->\n"


def table() -> str:
    """The rules as Markdown."""
    rows = "".join(f"| `{rule.code}` | {rule.level} | {rule.text} |\n" for rule in RULES.values())
    return f"| rule | level | what is wrong |\n| --- | --- | --- |\n{rows}"


def page(text: str) -> str:
    """The page `text` with the table as it is now."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{table()}{END}{tail}"


if __name__ == "__main__":
    TARGET.write_text(page(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
