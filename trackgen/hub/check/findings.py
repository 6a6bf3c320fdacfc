"""Findings: what a check found, where, and what to do; collected, bounded and sorted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from trackgen.hub.check.rules import LEVELS, RULES

__all__ = ["Finding", "Findings", "Place", "shown"]

LONGEST_VALUE = 100
LONGEST_TEXT = 500
"""Of what names files, and of what is put together from several values."""
MOST_OF_A_RULE = 1000
"""Kept of one rule; the rest is counted. A hub of a million lines must not need as much memory for its faults."""


def shown(text: object, most: int = LONGEST_VALUE) -> str:
    """`text` safe on a terminal and short: control characters as escapes, a long middle left out."""
    whole = str(text)
    if len(whole) <= most and whole.isprintable():
        return whole
    if len(whole) > most:
        whole = f"{whole[: most - 20]}...{whole[-17:]}"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in whole)


@dataclass(frozen=True)
class Place:
    """A file of the hub, as the hub names it, and a line in it, 1-based; 0 stands for the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Finding:
    """One fault. `what` is a clause without a full stop; `found`, `wanted` and `remedy` may be empty."""

    rule: str
    place: Place
    what: str
    found: str = ""
    wanted: str = ""
    remedy: str = ""

    @property
    def level(self) -> str:
        """error, warning or note."""
        return RULES[self.rule].level

    @property
    def text(self) -> str:
        """One sentence, and the remedy as another."""
        text = self.what
        if self.found:
            text += f"; found {self.found}"
        if self.wanted:
            text += f"; wanted {self.wanted}"
        if not self.remedy:
            return f"{text}."
        remedy = self.remedy[0].upper() + self.remedy[1:]
        return f"{text}. {remedy}" + ("" if remedy.endswith("?") else ".")

    def order(self) -> tuple[int, str, int, str, str]:
        """By weight, file, line and rule."""
        return LEVELS.index(self.level), self.place.file, self.place.line, self.rule, self.what


class Findings:
    """Collects findings; the same one twice counts once."""

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}
        self._of_rule: Counter[str] = Counter()
        self._places: set[Place] = set()

    def add(
        self, rule: str, place: Place, what: str, *, found: object = "", wanted: object = "", remedy: str = ""
    ) -> None:
        """Add one; all that may come from the hub, names of files too, is shortened and made safe to print."""
        self._places.add(place)
        if self._of_rule[rule] >= MOST_OF_A_RULE:
            self._of_rule[rule] += 1
            return
        named = Place(shown(place.file, LONGEST_TEXT), place.line)
        texts = (shown(what), shown(found), shown(wanted, LONGEST_TEXT), shown(remedy, LONGEST_TEXT))
        finding = Finding(rule, named, *texts)
        if finding not in self._found:
            self._of_rule[rule] += 1
            self._found[finding] = None

    def has(self, place: Place) -> bool:
        """Whether anything was found at `place`."""
        return place in self._places

    def sorted(self) -> tuple[Finding, ...]:
        """All that were kept, by weight, file and line."""
        return tuple(sorted(self._found, key=Finding.order))

    def counts(self) -> dict[str, int]:
        """How often each level was found, also what was not kept."""
        totals = dict.fromkeys(LEVELS, 0)
        for rule, count in self._of_rule.items():
            totals[RULES[rule].level] += count
        return totals

    def left_out(self) -> int:
        """How many were counted and not kept."""
        return sum(self._of_rule.values()) - len(self._found)
