#!/usr/bin/env python3
"""Fetch the builds of JBrowse that the plugin is tested with, pinned by versions.json, from npm into ../cache/.

``fetch.py`` fetches all of them, ``fetch.py react-app2@4.3.0 ...`` some. What is there already is not fetched again.
The standard library suffices.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CACHE = FOLDER.parent / "cache"

sys.path.insert(0, str(FOLDER.parent.parent / "assets"))
from install_assets import NotInstalledError, check, fetch  # noqa: E402  the same way to npm as the pages' code


def versions() -> dict[str, dict[str, str]]:
    """Package and version -> its ``integrity``, as npm writes it, and the ``file`` wanted of it."""
    return dict(json.loads((FOLDER / "versions.json").read_text(encoding="utf-8")))


def cached(name: str) -> Path:
    """Where the file of a package lies, there or not: ``@jbrowse/react-app2@4.3.0`` is react-app2@4.3.0.js."""
    return CACHE / f"{name.rpartition('/')[2]}.js"


def install(name: str) -> Path:
    """The file of one package, fetched and checked where it is not there yet.

    Raises:
        NotInstalledError: npm is missing, does not reach a registry, or gives something else than what is pinned.
    """
    pin = versions()[name]
    path = cached(name)
    if path.is_file():
        return path
    package, _, version = name.rpartition("@")
    with tempfile.TemporaryDirectory() as folder:
        archive = fetch(package, version, Path(folder))
        check(archive, package, pin["integrity"])
        with tarfile.open(archive) as packed:
            member = packed.extractfile(f"package/{pin['file']}")
            if member is None:
                raise NotInstalledError(f"{name} holds no file {pin['file']}")
            content = member.read()
    CACHE.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_bytes(content)
    return unfinished.replace(path)


def main() -> int:
    """Fetch what the arguments name, else everything; 0 when done."""
    wanted = sys.argv[1:] or list(versions())
    try:
        for name in versions():
            if name in wanted or name.rpartition("/")[2] in wanted:
                print(install(name), file=sys.stderr)
    except NotInstalledError as error:
        print(f"fetch: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
