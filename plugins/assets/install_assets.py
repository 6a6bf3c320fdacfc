#!/usr/bin/env python3
"""Fetch igv.js, JBrowse and ONNX Runtime, at the versions of package-lock.json, from npm into trackgen/serve/assets/.

`make assets` calls this. Without the assets the pages load the same versions from a public address, so they are
needed offline only. What is there already, at the pinned version, is not fetched again. The standard library suffices:
this runs before trackgen is installed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ASSETS = FOLDER.parent.parent / "trackgen" / "serve" / "assets"
# Package -> its files -> their names in assets/. The licences travel with the code.
FILES = {
    "igv": {"dist/igv.esm.min.js": "igv.esm.min.js", "LICENSE": "igv.LICENSE.txt"},
    "@jbrowse/react-app2": {
        "dist/react-app.umd.production.min.js": "jbrowse.umd.min.js",
        "dist/react-app.umd.production.min.js.LICENSE.txt": "jbrowse.LICENSE.txt",
    },
    "onnxruntime-web": {
        "dist/ort.wasm.min.mjs": "ort.wasm.min.mjs",
        "dist/ort-wasm-simd-threaded.mjs": "ort-wasm-simd-threaded.mjs",
        "dist/ort-wasm-simd-threaded.wasm": "ort-wasm-simd-threaded.wasm",
    },
}
# Licences that a package lacks, which lie here.
LICENCES = {"onnxruntime-web": "onnxruntime.LICENSE.txt"}
# Package -> SHA-512 of the archive that its files in assets/ came from.
INSTALLED = "installed.json"


class NotInstalledError(Exception):
    """The assets could not be had; the message says why."""


def main() -> int:
    """Put the pinned packages' files into trackgen/serve/assets/; 0 when done."""
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    try:
        with tempfile.TemporaryDirectory() as folder:
            for package, files in FILES.items():
                pin = lock["packages"][f"node_modules/{package}"]
                if is_installed(package, pin["integrity"]):
                    continue
                archive = fetch(package, pin["version"], Path(folder))
                check(archive, package, pin["integrity"])
                unpack(archive, files)
                archive.unlink()
                write(INSTALLED, json.dumps({**installed(), package: pin["integrity"]}, indent=2).encode())
    except NotInstalledError as error:
        print(f"install_assets: {error}", file=sys.stderr)
        return 1
    # Last, and each time: by the newest of them make knows that nothing is missing.
    for name in LICENCES.values():
        write(name, (FOLDER / name).read_bytes())
    names = [*(name for files in FILES.values() for name in files.values()), *LICENCES.values()]
    print(f"{', '.join(names)} -> trackgen/serve/assets/", file=sys.stderr)
    return 0


def installed() -> dict[str, str]:
    """Of each package in assets/ what its archive was."""
    try:
        return dict(json.loads((ASSETS / INSTALLED).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def is_installed(package: str, integrity: str) -> bool:
    """Whether all files of the pinned package are in assets/."""
    return installed().get(package) == integrity and all((ASSETS / name).is_file() for name in FILES[package].values())


def fetch(package: str, version: str, folder: Path) -> Path:
    """The package's archive, from the registry that npm is set to; what the package depends on is not fetched."""
    npm = shutil.which("npm")
    if npm is None:
        remedy = "install Node.js (Debian: apt-get install npm), then run make assets again"
        raise NotInstalledError(f"npm is not installed: {remedy}")
    asked = [npm, "pack", f"{package}@{version}", "--json", "--ignore-scripts", "--pack-destination", str(folder)]
    done = subprocess.run(asked, cwd=folder, stdout=subprocess.PIPE, check=False)
    # npm names the archive in its answer, not always as it is called on disk; it is the one that is new.
    archives = sorted(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise NotInstalledError(f"npm pack ended with status {done.returncode}: is the package registry reachable?")
    return archives[0].rename(folder / "package.archive")


def check(archive: Path, package: str, integrity: str) -> None:
    """Refuse an archive that is not, byte for byte, the one that the lock file pins."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode("ascii")
    if found != integrity:
        raise NotInstalledError(f"{package} is not the package that package-lock.json pins: {found}, not {integrity}")


def unpack(archive: Path, files: dict[str, str]) -> None:
    """Copy `files` out of the archive into assets/, each in one step."""
    ASSETS.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as packed:
        for source, name in files.items():
            member = packed.extractfile(f"package/{source}")
            if member is None:
                raise NotInstalledError(f"the package holds no file {source}")
            write(name, member.read())


def write(name: str, content: bytes) -> None:
    """A file of assets/, in one step."""
    unfinished = ASSETS / f"{name}.tmp"
    unfinished.write_bytes(content)
    unfinished.replace(ASSETS / name)


if __name__ == "__main__":
    sys.exit(main())
