#!/usr/bin/env python3
"""Fetch what check.mjs needs, pinned by package-lock.json, from npm into node_modules/.

What is there already is not fetched again. The standard library suffices.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

sys.path.insert(0, str(FOLDER.parent.parent / "assets"))
from install_assets import NotInstalledError  # noqa: E402  the same refusal as of the pages' code


def install() -> Path:
    """The folder of the packages, filled where it is not there yet; npm checks each against its pin.

    Raises:
        NotInstalledError: npm is missing, does not reach a registry, or gets something else than what is pinned.
    """
    folder = FOLDER / "node_modules"
    # npm writes this file last.
    if (folder / ".package-lock.json").is_file():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalledError("npm is not installed: install Node.js (Debian: apt-get install npm)")
    asked = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(asked, cwd=FOLDER, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise NotInstalledError(f"npm ci ended with status {done.returncode}: is the package registry reachable?")
    return folder


def main() -> int:
    """Fetch everything; 0 when done."""
    try:
        print(install(), file=sys.stderr)
    except NotInstalledError as error:
        print(f"fetch: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
