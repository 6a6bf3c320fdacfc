#!/usr/bin/env python3
"""Fetch igv.js, at the version of package-lock.json, from npm into trackgen/serve/assets/.

`make assets` calls this. Without the assets the page loads the same version from a public address, so they are
needed offline only. The standard library suffices: this runs before trackgen is installed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ASSETS = FOLDER.parent.parent / "trackgen" / "serve" / "assets"
# From node_modules/ to the name in assets/. The licence travels with the code.
FILES = {
    "igv/dist/igv.esm.min.js": "igv.esm.min.js",
    "igv/LICENSE": "igv.LICENSE.txt",
}


def main() -> int:
    """Install the pinned packages and copy what the page needs; 0 when done."""
    npm = shutil.which("npm")
    if npm is None:
        return _fail("npm is not installed: install Node.js (Debian: apt-get install npm), then run make assets again")
    done = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER, check=False)
    if done.returncode:
        return _fail(f"npm ci ended with status {done.returncode}: is the package registry reachable?")
    ASSETS.mkdir(parents=True, exist_ok=True)
    for source, name in FILES.items():
        unfinished = ASSETS / f"{name}.tmp"
        shutil.copyfile(FOLDER / "node_modules" / source, unfinished)
        unfinished.replace(ASSETS / name)
    print(f"{', '.join(FILES.values())} -> trackgen/serve/assets/", file=sys.stderr)
    return 0


def _fail(message: str) -> int:
    print(f"install_assets: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
