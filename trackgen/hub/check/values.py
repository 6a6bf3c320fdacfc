"""Rules for the values of settings, by the names that the table of settings uses."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Fault", "numbers", "value_fault"]


class Fault(NamedTuple):
    """What is wrong with a value: the rule's code and what would be right."""

    rule: str
    wanted: str


NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
MEMBER = re.compile(r"[^\s=]+=[^\s=]*")


def numbers(text: str, mark: str = ":") -> list[float] | None:
    """The finite numbers that `mark` parts in `text`; None where a part is none."""
    parts = [part.strip() for part in text.split(mark)]
    if not all(NUMBER.fullmatch(part) for part in parts):
        return None
    values = [float(part) for part in parts]
    return values if all(math.isfinite(value) for value in values) else None


def value_fault(rule: str, value: str) -> Fault | None:
    """What is wrong with `value` under the value rule `rule`; None for nothing."""
    if rule in _RULES:
        return _RULES[rule](value)
    choices = rule.split("|")
    if value in choices:
        return None
    return Fault("VALUE-CHOICE", choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}")


def _anything(value: str) -> Fault | None:
    return None


def _on_or_off(value: str) -> Fault | None:
    return None if value.lower() in ("on", "off") else Fault("VALUE-CHOICE", "on or off")


def _dot(value: str) -> Fault | None:
    return None if value in (".", "on") else Fault("VALUE-CHOICE", "a full stop")


def _is_color(value: str) -> bool:
    parts = value.split(",")
    return len(parts) == 3 and all(re.fullmatch(r"\d{1,3}", part) and int(part) <= 255 for part in parts)


def _color(value: str) -> Fault | None:
    return None if _is_color(value) else Fault("VALUE-COLOR", "three whole numbers from 0 to 255, such as 200,30,30")


def _colors(value: str) -> Fault | None:
    parts = value.split()
    right = len(parts) == 2 and all(_is_color(part) for part in parts)
    return None if right else Fault("VALUE-COLOR", "two colours, such as 200,30,30 30,30,200")


def _limits(value: str) -> Fault | None:
    pair = numbers(value)
    right = pair is not None and len(pair) == 2 and pair[0] < pair[1]
    return None if right else Fault("VALUE-LIMITS", "LOWER:UPPER, the lower one first")


def _pair(value: str) -> Fault | None:
    pair = numbers(value)
    return None if pair is not None and len(pair) == 2 else Fault("VALUE-LIMITS", "two numbers, LOWER:UPPER")


def _height(value: str) -> Fault | None:
    parts = value.split(":")
    right = len(parts) == 3 and all(re.fullmatch(r"\d{1,6}", part) for part in parts)
    if right:
        high, usual, low = map(int, parts)
        right = high >= usual >= low
    return None if right else Fault("VALUE-HEIGHT", "MAX:DEFAULT:MIN in pixels, such as 128:40:16")


def _number(value: str) -> Fault | None:
    return None if numbers(value, "\n") is not None else Fault("VALUE-NUMBER", "a number")


def _integer(value: str) -> Fault | None:
    return None if WHOLE.fullmatch(value) else Fault("VALUE-NUMBER", "a whole number")


def _smoothing(value: str) -> Fault | None:
    right = value.lower() == "off" or (WHOLE.fullmatch(value) is not None and 1 <= int(value[:6]) <= 16)
    return None if right else Fault("VALUE-NUMBER", "off, or a whole number from 1 to 16")


def _super(value: str) -> Fault | None:
    """``on``, ``on show``; else the old form, ``superTrack PARENT``, which another rule reports."""
    words = value.split()
    right = len(words) == 1 or (len(words) == 2 and (words[0] != "on" or words[1] in ("show", "hide", "full", "dense")))
    return None if right else Fault("VALUE-FORM", "on, or on show")


def _pairs(value: str) -> Fault | None:
    """``a=b c=d``."""
    words = value.split()
    right = bool(words) and all(MEMBER.fullmatch(word) for word in words)
    return None if right else Fault("SUBGROUP-FORM", "NAME=VALUE pairs, such as view=signal factor=REB1")


def _subgroup(value: str) -> Fault | None:
    """``tag Title a=A b=B``; the title may hold quoted spaces."""
    words = value.split()
    right = len(words) >= 3 and "=" not in words[0] and any("=" in word for word in words[2:])
    return None if right else Fault("SUBGROUP-FORM", "NAME TITLE MEMBER=TITLE ..., such as view Views signal=Signal")


_RULES: dict[str, Callable[[str], Fault | None]] = {
    "text": _anything,
    "name": _anything,
    "address": _anything,
    "onoff": _on_or_off,
    "dot": _dot,
    "color": _color,
    "colors": _colors,
    "limits": _limits,
    "pair": _pair,
    "height": _height,
    "number": _number,
    "integer": _integer,
    "smoothing": _smoothing,
    "super": _super,
    "pairs": _pairs,
    "subgroup": _subgroup,
}
