"""The protocol's schemas, as a client in Python uses them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tests.source import ROOT

PROTOCOL = ROOT / "plugins" / "protocol"
EXAMPLES = PROTOCOL / "examples"


@cache
def schemas() -> dict[str, Any]:
    """Every schema by its name, such as ``values``."""
    found = sorted(PROTOCOL.glob("*.schema.json"))
    return {path.name.removesuffix(".schema.json"): json.loads(path.read_text(encoding="utf-8")) for path in found}


@cache
def validator(name: str) -> Draft202012Validator:
    resources = [(schema["$id"], Resource.from_contents(schema)) for schema in schemas().values()]
    return Draft202012Validator(schemas()[name], registry=Registry().with_resources(resources))


def failures(name: str, message: object) -> list[str]:
    """The keywords of the schema `name` that `message` fails; none where it fits."""
    return [str(error.validator) for error in validator(name).iter_errors(message)]


def fits(name: str, message: object) -> None:
    """Asserts that `message` fits the schema `name`, and says where it does not."""
    found = [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(message)]
    assert not found, "; ".join(found[:5])
