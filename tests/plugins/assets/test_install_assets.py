"""Third-party browser code comes from npm, at build time, and is what the lock file pins or nothing."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.source import ROOT
from trackgen.resources import IGV_JS, JBROWSE, ONNX_RUNTIME, BrowserCode

FOLDER = ROOT / "plugins" / "assets"
PACKAGES = {IGV_JS: "igv", JBROWSE: "@jbrowse/react-app2", ONNX_RUNTIME: "onnxruntime-web"}
# Stands for npm: "packs" the archive that lies beside it.
NPM = """#!/bin/sh
[ "$1" = pack ] || exit 9
echo "$2" >> "$(dirname "$0")/asked"
case "$2" in igv@*) name=igv ;; onnxruntime-web@*) name=onnxruntime ;; *) name=jbrowse ;; esac
while [ "$1" != --pack-destination ]; do shift; done
[ -f "$(dirname "$0")/$name.tgz" ] || exit 1
cp "$(dirname "$0")/$name.tgz" "$2"
"""
CONTENTS = {
    "igv": {"dist/igv.esm.min.js": b"igv", "LICENSE": b"MIT", "extra.js": b"not wanted"},
    "jbrowse": {
        "dist/react-app.umd.production.min.js": b"jbrowse",
        "dist/react-app.umd.production.min.js.LICENSE.txt": b"licences",
    },
    "onnxruntime": {
        "dist/ort.wasm.min.mjs": b"script",
        "dist/ort-wasm-simd-threaded.mjs": b"module",
        "dist/ort-wasm-simd-threaded.wasm": b"wasm",
        "dist/ort.all.js": b"not wanted",
    },
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of plugins/assets whose lock file pins two small archives, and an npm that packs them."""
    folder = tmp_path / "checkout" / "plugins" / "assets"
    shutil.copytree(FOLDER, folder)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "npm").write_text(NPM)
    (tmp_path / "bin" / "npm").chmod(0o755)
    lock = json.loads((folder / "package-lock.json").read_text())
    for name, key in zip(CONTENTS, PACKAGES.values(), strict=True):
        archive = tmp_path / "bin" / f"{name}.tgz"
        with tarfile.open(archive, "w:gz") as packed:
            for path, content in CONTENTS[name].items():
                member = tarfile.TarInfo(f"package/{path}")
                member.size = len(content)
                packed.addfile(member, io.BytesIO(content))
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        lock["packages"][f"node_modules/{key}"]["integrity"] = f"sha512-{digest}"
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return tmp_path


def install(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(checkout / "checkout" / "plugins" / "assets" / "install_assets.py")],
        env={"PATH": f"{checkout / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def installed(checkout: Path) -> dict[str, bytes]:
    folder = checkout / "checkout" / "trackgen" / "serve" / "assets"
    files = folder.iterdir() if folder.exists() else ()
    return {path.name: path.read_bytes() for path in files if path.name != "installed.json"}


def asked(checkout: Path) -> list[str]:
    """The packages that npm was asked for, without their versions."""
    return [line.rpartition("@")[0] for line in (checkout / "bin" / "asked").read_text().splitlines()]


@pytest.mark.parametrize("code", list(PACKAGES), ids=lambda code: code.title)
def test_the_pages_name_the_version_that_is_pinned(code: BrowserCode) -> None:
    package = json.loads((FOLDER / "package.json").read_text())
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    name = PACKAGES[code]
    pin = lock["packages"][f"node_modules/{name}"]
    assert package["dependencies"][name] == pin["version"] == code.version
    assert lock["packages"][""]["dependencies"] == package["dependencies"]
    assert f"/{name}@{code.version}/" in code.address
    assert len(base64.b64decode(pin["integrity"].removeprefix("sha512-"))) == 64


def test_a_script_what_it_loads_and_its_licence_are_taken_from_each_package(checkout: Path) -> None:
    done = install(checkout)
    assert done.returncode == 0, done.stderr
    assert installed(checkout) == {
        IGV_JS.file: b"igv",
        IGV_JS.licence: b"MIT",
        JBROWSE.file: b"jbrowse",
        JBROWSE.licence: b"licences",
        ONNX_RUNTIME.file: b"script",
        **dict(zip(ONNX_RUNTIME.others, (b"module", b"wasm"), strict=True)),
        ONNX_RUNTIME.licence: (FOLDER / ONNX_RUNTIME.licence).read_bytes(),
    }
    assert set(installed(checkout)) == {*ONNX_RUNTIME.files, *IGV_JS.files, *JBROWSE.files}


def test_what_is_there_is_not_fetched_again_and_what_is_missing_is(checkout: Path) -> None:
    install(checkout)
    assert asked(checkout) == list(PACKAGES.values())
    assets = checkout / "checkout" / "trackgen" / "serve" / "assets"
    (assets / ONNX_RUNTIME.others[0]).unlink()
    done = install(checkout)
    assert done.returncode == 0, done.stderr
    assert asked(checkout) == [*PACKAGES.values(), "onnxruntime-web"]
    assert installed(checkout)[ONNX_RUNTIME.others[0]] == b"module"


def test_files_of_another_version_are_fetched_anew(checkout: Path) -> None:
    install(checkout)
    stamp = checkout / "checkout" / "trackgen" / "serve" / "assets" / "installed.json"
    stamp.write_text(stamp.read_text().replace("sha512-", "sha512-another", 1))
    install(checkout)
    assert asked(checkout) == [*PACKAGES.values(), "igv"]


def test_a_package_that_differs_from_the_lock_file_is_not_installed(checkout: Path) -> None:
    with open(checkout / "bin" / "igv.tgz", "ab") as file:
        file.write(b"one byte more")
    done = install(checkout)
    assert done.returncode == 1
    assert "igv is not the package that package-lock.json pins: sha512-" in done.stderr
    assert installed(checkout) == {}


def test_a_registry_that_does_not_answer_is_told(checkout: Path) -> None:
    (checkout / "bin" / "jbrowse.tgz").unlink()
    done = install(checkout)
    assert done.returncode == 1
    assert "is the package registry reachable?" in done.stderr
    assert ONNX_RUNTIME.licence not in installed(checkout)
