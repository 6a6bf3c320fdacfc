"""Reads typed fields out of JSON objects, and says exactly which field is wrong."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from trackgen.errors import ModelError

__all__ = ["Fields", "is_finite_number"]

T = TypeVar("T")
_MISSING: Any = object()
_KINDS: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


def is_finite_number(value: object) -> bool:
    """Whether a JSON value is a number that is neither NaN nor infinite; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class Fields:
    """The fields of one JSON object of a card.

    Args:
        values: the object.
        place: where it stands in the card, such as ``outputs[0]``; empty for the card itself.
        path: the file, for messages.

    Raises:
        ModelError: from every method, naming the file, the field, the value found and the value wanted.
    """

    def __init__(self, values: Any, place: str, path: str | None) -> None:
        self.path = path
        self.place = place
        if not isinstance(values, Mapping):
            raise self.error("", f"the card's {place or 'text'} is not an object", found=values, wanted="an object")
        self._values = dict(values)
        self._known: set[str] = set()

    def error(
        self, name: str, what: str, *, found: object = None, wanted: object = None, remedy: str | None = None
    ) -> ModelError:
        """The error about field `name`, ready to raise."""
        place = ".".join(part for part in (self.place, name) if part)
        return ModelError(
            what,
            path=self.path,
            place=f"card field {place}" if place else "card",
            found=repr(found),
            wanted=wanted,
            remedy=remedy,
        )

    def take(self, name: str, kind: type[T], default: Any = _MISSING) -> T:
        """Field `name` as `kind`; `default` where it is absent (required if none is given)."""
        self._known.add(name)
        if name not in self._values:
            if default is _MISSING:
                raise self.error(name, "a required field is missing", found=None, wanted=_KINDS[kind])
            result: T = default
            return result
        value = self._values[name]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if isinstance(value, float) and not math.isfinite(value):
            raise self.error(name, "the field is not a finite number", found=value, wanted="a finite number")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(name, "the field has a wrong type", found=value, wanted=_KINDS[kind])
        return value

    def take_optional(self, name: str, kind: type[T]) -> T | None:
        """Field `name` as `kind`, or None where it is absent or null."""
        if self._values.get(name) is None:
            self._known.add(name)
            return None
        return self.take(name, kind)

    def take_choice(self, name: str, choices: tuple[str, ...], default: Any = _MISSING) -> Any:
        """Field `name`, one of `choices`."""
        value = self.take(name, str, default)
        if value not in choices and value is not default:
            raise self.error(name, "the field has an unknown value", found=value, wanted=" or ".join(choices))
        return value

    def take_count(self, name: str, default: Any = _MISSING, *, least: int = 1) -> int:
        """Field `name`, a whole number of at least `least`."""
        value = self.take(name, int, default)
        if value is not default and value < least:
            raise self.error(name, "the field is too small", found=value, wanted=f"at least {least}")
        return value

    def take_float_or_floats(self, name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """Field `name`, a finite number by itself or a list of them."""
        value = self._values.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (self.take(name, float),)
        if name in self._values and not isinstance(value, list):
            raise self.error(
                name, "the field has a wrong type", found=value, wanted=f"{_KINDS[float]}, or {_KINDS[list]} of them"
            )
        return self.take_floats(name, default)

    def take_floats(self, name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """Field `name`, a list of finite numbers."""
        values = self.take(name, list, None)
        if values is None:
            return default
        for value in values:
            if not is_finite_number(value):
                raise self.error(
                    name, "the list holds something that is not a finite number", found=value, wanted="numbers"
                )
        return tuple(float(value) for value in values)

    def take_objects(self, name: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
        """Field `name`, a list of at least one object, each read by `read`."""
        values = self.take(name, list)
        if not values:
            raise self.error(name, "the list is empty", found=values, wanted="at least one entry")
        prefix = f"{self.place}.{name}" if self.place else name
        return tuple(read(Fields(value, f"{prefix}[{index}]", self.path)) for index, value in enumerate(values))

    def nested(self, name: str) -> Fields | None:
        """Field `name`, an object of its own, or None where it is absent."""
        values = self.take(name, dict, None)
        return None if values is None else Fields(values, f"{self.place}.{name}" if self.place else name, self.path)

    def finish(self, allowed: Iterable[str] | None = None) -> None:
        """Refuse every field that nobody asked for, or that does not belong to this kind of object."""
        known = self._known if allowed is None else set(allowed)
        for name in self._values:
            if name not in known:
                near = difflib.get_close_matches(name, sorted(known), 1)
                remedy = f"did you mean {near[0]}" if near else "free text belongs into training or description"
                raise self.error(
                    name, "the field is unknown here", found=name, wanted=", ".join(sorted(known)), remedy=remedy
                )
