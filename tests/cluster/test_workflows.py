"""The documented Snakefile and Nextflow pipeline.

Exercised: the shell commands of both, taken out of the files and run in the order of their rules (in slow tests; the
plan and one share also in a quick one). Snakemake itself runs the Snakefile in another slow test, from the PATH, or
installed into an environment of its own, where that can be had. Nextflow itself is never run: it can't be had from a
package registry.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.scenes import Scene, results
from tests.source import ROOT

EXAMPLES = ROOT / "docs" / "examples"
SETTINGS = {
    "TRACKGEN_SCAN_DEVICE": "cpu",
    "TRACKGEN_SCAN_MODE": "window",
    "TRACKGEN_SCAN_TILE": "500",
    "TRACKGEN_SCAN_SHARD_SIZE": "2000",
}


def snakemake_commands() -> dict[str, str]:
    """Rule -> its shell command, with the file's own names filled in."""
    text = (EXAMPLES / "Snakefile").read_text(encoding="utf-8")
    names = {name: ast.literal_eval(value) for name, value in re.findall(r"^([A-Z]+) = (.*)$", text, re.MULTILINE)}
    found = {}
    for name, body in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)+)", text, re.MULTILINE):
        shell = re.search(r'shell:\s+"(.*)"', body)
        if shell is not None:
            found[name] = shell[1].replace("{SCAN}", names["SCAN"]).replace("{SHARES}", str(names["SHARES"]))
    return found


def nextflow_scripts(folder: Path) -> dict[str, str]:
    """Process -> its script, with the parameters' defaults filled in."""
    text = (EXAMPLES / "main.nf").read_text(encoding="utf-8")
    parameters = dict(re.findall(r"^params\.(\w+) = '?([^'\n]*)'?$", text, re.MULTILINE))
    found = {}
    for name, body in re.findall(r"^process (\w+) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        script = re.search(r'"""\n(.*?)"""', body, re.DOTALL)
        assert script is not None
        filled = re.sub(r"\$\{file\(params\.(\w+)\)\}", lambda match: str(folder / parameters[match[1]]), script[1])
        filled = re.sub(r"\$\{params\.(\w+)\}", lambda match: parameters[match[1]], filled)
        found[name] = filled.replace("\\\\\n", "\\\n")
    return found


def run_all(scene: Scene, folder: Path, commands: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    for command in commands:
        assert "{" not in command
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder, env={**scene.environment, **SETTINGS}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_the_commands_of_the_snakefile_give_the_bytes_of_a_plain_run(scene: Scene) -> None:
    rules = snakemake_commands()
    assert list(rules) == ["plan", "scan", "assemble"]
    shares = [rules["scan"].replace("{wildcards.share}", str(share)) for share in range(8, 0, -1)]
    commands = [command.replace("{threads}", "1") for command in [rules["plan"], *shares, rules["assemble"]]]
    run_all(scene, scene.folder, commands)
    assert results(scene.folder / "tracks") == scene.plain("tss-yeast", "--mode", "window")


@pytest.mark.slow
def test_the_scripts_of_the_nextflow_pipeline_give_the_bytes_of_a_plain_run(scene: Scene) -> None:
    scripts = nextflow_scripts(scene.folder)
    assert list(scripts) == ["PLAN", "SCAN", "ASSEMBLE"]
    shares = [scripts["SCAN"].replace("${share}", str(share)) for share in range(1, 9)]
    commands = [script.replace("${task.cpus}", "1") for script in [scripts["PLAN"], *shares, scripts["ASSEMBLE"]]]
    # Nextflow runs each task in a folder of its own.
    run_all(scene, scene.folder / "work", commands)
    assert results(scene.folder / "tracks") == scene.plain("tss-yeast", "--mode", "window")


def test_a_try_of_a_workflow_manager_takes_over_the_lock_of_the_try_before_it(scene: Scene) -> None:
    rules = snakemake_commands()
    share = rules["scan"].replace("{wildcards.share}", "1").replace("{threads}", "1")
    run_all(scene, scene.folder, [rules["plan"]])
    lock = scene.folder / "tracks" / ".trackgen" / "shards" / "000001.lock"
    lock.write_text('{"host": "lost-node", "process": 1, "since": "2020-01-01 00:00:00", "job": "share-1", "born": 1}')
    other = scene.run("sh", "-c", share.replace("TRACKGEN_JOB=share-1", ""), **SETTINGS)
    assert other.returncode == 2
    assert "lost-node" in other.stderr
    run_all(scene, scene.folder, [share])
    assert not lock.exists()


def snakemake(folder: Path) -> str:
    """Snakemake from the PATH, else installed here."""
    found = shutil.which("snakemake")
    if found:
        return found
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "snakemake>=8"]
    if subprocess.run(pip, capture_output=True, timeout=280, check=False).returncode:
        pytest.skip("snakemake is not on the PATH and can't be installed")
    return str(folder / "bin" / "snakemake")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_snakemake_runs_the_snakefile_with_the_bytes_of_a_plain_run(
    scene: Scene, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = snakemake(tmp_path_factory.mktemp("snakemake"))
    words = (program, "--snakefile", EXAMPLES / "Snakefile", "--cores", "2", "--nocolor")
    result = scene.run(*words, **SETTINGS)
    assert result.returncode == 0, result.stderr
    again = scene.run(*words, **SETTINGS)
    assert "Nothing to be done" in again.stdout + again.stderr
    assert results(scene.folder / "tracks") == scene.plain("tss-yeast", "--mode", "window")
