"""The protocol's schemas: strict, explained, and of one mind in Python and in JavaScript."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.plugins.jbrowse.conftest import load
from tests.plugins.protocol.schemas import EXAMPLES, PROTOCOL, failures, schemas

MESSAGES = sorted(set(schemas()) - {"common"})
VALID = sorted((EXAMPLES / "valid").glob("*.json"))
INVALID = sorted((EXAMPLES / "invalid").glob("*.json"))
# What a hub's page needs for its models: theirs who write the page's runtime.
OPEN = {"page", "runtime", "lengths"}


def objects(schema: object, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a schema that describes an object, with the name of the property it stands at."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield name, schema
        for key, part in schema.items():
            yield from objects(part, key)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part, name)


@pytest.mark.parametrize("name", schemas())
def test_a_schema_is_one_of_its_draft_and_explained(name: str) -> None:
    schema = schemas()[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"{name}.schema.json"
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("name", MESSAGES)
def test_every_object_is_closed_but_those_of_the_page(name: str) -> None:
    found = {at for at, part in objects(schemas()[name]) if part.get("additionalProperties") is not False}
    assert found <= OPEN


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_has_examples_of_both_kinds(name: str) -> None:
    for some in (VALID, INVALID):
        assert any(path.name.startswith(f"{name}.") for path in some)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_example_fits(path: Path) -> None:
    assert failures(path.name.partition(".")[0], json.loads(path.read_bytes())) == []


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_example_fails_by_the_keyword_in_its_name_alone(path: Path) -> None:
    schema, _, keyword = path.stem.split(".")
    assert failures(schema, json.loads(path.read_bytes())) == [keyword]


@pytest.fixture(scope="module")
def ajv() -> Path:
    """The folder with JavaScript's validator, fetched where it is not there yet."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    module = load(PROTOCOL / "test" / "fetch.py")
    # A registry that does not answer must not hold up the tests.
    for name, value in {"fetch_retries": "1", "fetch_timeout": "30000"}.items():
        os.environ.setdefault(f"npm_config_{name}", value)
    try:
        return Path(module.install())
    except module.NotInstalledError as error:
        pytest.skip(f"ajv cannot be fetched: {error}")


def test_javascript_finds_the_same(ajv: Path) -> None:
    command = ["node", ajv.parent / "check.mjs", *VALID, *INVALID]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        path.name: [] if path in VALID else [path.stem.split(".")[2]] for path in [*VALID, *INVALID]
    }
