"""The documented Slurm scripts, run as they are by a stand-in for Slurm: separate processes with Slurm's variables.

Not exercised: Slurm itself, several hosts (a lost one is acted), a network file system.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cluster.scenes import Scene, results, wait_until
from tests.source import ROOT

STAND_IN = Path(__file__).with_name("fake_slurm.py")
SCRIPTS = ROOT / "docs" / "examples" / "slurm"
SMALL_SHARDS = {"TRACKGEN_SCAN_DEVICE": "cpu", "TRACKGEN_SCAN_TILE": "500", "TRACKGEN_SCAN_SHARD_SIZE": "500"}
SLOW = {**SMALL_SHARDS, "TRACKGEN_SCAN_MODE": "window", "TRACKGEN_SCAN_BATCH_SIZE": "1"}


class Slurm:
    """The stand-in, in a scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.state = scene, scene.folder / "slurm"
        self.state.mkdir()
        scene.environment["FAKE_SLURM"] = str(self.state)
        for name in ("sbatch", "scontrol"):
            scene.command(name, f'exec {sys.executable} {STAND_IN} {name} "$@"')

    def submit(self, *options: object, **variables: str) -> str:
        """Submit the documented scripts; how the last job ended."""
        result = self.scene.run("sh", SCRIPTS / "plan_scan_assemble.sh", *options, **variables)
        assert result.returncode == 0, result.stderr
        ended = self.state / f"{result.stdout.strip().partition(';')[0]}.ended"
        wait_until(ended.exists, 100.0)
        return ended.read_text()

    @property
    def events(self) -> list[str]:
        return (self.state / "events").read_text().splitlines()

    @property
    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.state.glob("*.log")))


def test_the_documented_scripts_give_the_bytes_of_a_plain_run_also_where_a_node_is_lost(scene: Scene) -> None:
    slurm = Slurm(scene)
    assert slurm.submit("--digits", 4, **SLOW, FAKE_SLURM_LOSE="3") == "ok", slurm.logs
    assert results(scene.folder / "tracks") == scene.plain("tss-yeast", "--digits", 4)
    # Order: the plan, then all tasks, then the assembly. Some tasks ran at the same time; one ran twice.
    jobs = [event.split()[1] for event in slurm.events if event.startswith("start")]
    assert jobs == ["100"] + ["200"] * 9 + ["300"]
    assert [event.partition(" 200")[0] for event in slurm.events if " 200 " in event][:2] == ["start", "start"]
    assert any(event.startswith("lost") for event in slurm.events)
    assert "end 200 3 -9" in slurm.events
    assert "end 200 3 0" in slurm.events


def test_a_task_whose_machine_failed_goes_back_into_the_queue_three_times_at_most(scene: Scene) -> None:
    slurm = Slurm(scene)
    scene.command("trackgen", 'case "$*" in *"--shard 2/8"*) exit 75;; esac')
    assert slurm.submit() == "never"
    assert slurm.events.count("end 200 2 75") == 4
    assert slurm.events.count("end 200 3 0") == 1


def test_options_of_gpu_partitions_reach_the_array_and_those_of_the_scan_every_task(scene: Scene) -> None:
    slurm = Slurm(scene)
    scene.command("trackgen", 'echo "$@"')
    assert slurm.submit("--device", "cuda", TASK_RESOURCES="--partition=gpu --gpus=1") == "ok"
    assert "--gpus" in (slurm.state / "200.job").read_text()
    assert "--gpus" not in (slurm.state / "100.job").read_text()
    lines = slurm.logs.splitlines()
    assert "scan tss-yeast genome.fa -o tracks --plan-only --device cuda" in lines
    assert "scan tss-yeast genome.fa -o tracks --shard 8/8 --device cuda" in lines
    assert lines[-1] == "assemble tracks"


def test_another_job_does_not_take_over_the_lock_of_a_machine_that_it_cannot_see(scene: Scene) -> None:
    planned = scene.run("trackgen", "scan", "small.onnx", "genome.fa", "-o", "tracks", "--plan-only", **SMALL_SHARDS)
    assert planned.returncode == 0, planned.stderr
    lock = scene.folder / "tracks" / ".trackgen" / "shards" / "000001.lock"
    lock.write_text('{"host": "lost-node", "process": 1, "since": "2020-01-01 00:00:00", "job": "7_1_0", "born": 1}')
    share = ("trackgen", "scan", "small.onnx", "genome.fa", "-o", "tracks", "--shard", "1/2")
    other = scene.run(*share, SLURM_ARRAY_JOB_ID="8", SLURM_ARRAY_TASK_ID="1", **SMALL_SHARDS)
    assert other.returncode == 2
    for word in ("lost-node", "2020-01-01", "job 7_1_0", str(lock.relative_to(scene.folder)), "delete this file"):
        assert word in other.stderr
    same = scene.run(*share, SLURM_ARRAY_JOB_ID="7", SLURM_ARRAY_TASK_ID="1", **SMALL_SHARDS)
    assert same.returncode == 0, same.stderr


@pytest.mark.slow
@pytest.mark.parametrize("line", ["sge", "pbs"])
def test_the_two_lines_of_sge_and_of_pbs_give_the_bytes_of_a_plain_run(scene: Scene, line: str) -> None:
    """Exercised: the commands that are put into the queue, with the batch system's variables; not its options."""
    page = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in page.split("```sh\n")[1:]]
    block = next(block for block in blocks if {"sge": "-hold_jid", "pbs": "$PBS_ARRAY_INDEX"}[line] in block)
    variable = {"sge": "SGE_TASK_ID", "pbs": "PBS_ARRAY_INDEX"}[line]
    scene.command(
        "qsub",
        f"""command=$(cat); cd /
        case " $* " in *" 1-8 "*) tasks="8 7 6 5 4 3 2 1";; *) tasks=undefined;; esac
        test "$(echo "$@" | grep -c PBS)" = 0 || exit 9
        case "$command" in *PBS_O*) ;; *) cd "$SCENE";; esac
        for task in $tasks; do {variable}=$task PBS_O_WORKDIR=$SCENE sh -c "$command" >&2 || exit 1; done
        echo '12[]'""",
    )
    few = {**SMALL_SHARDS, "TRACKGEN_SCAN_MODE": "window", "TRACKGEN_SCAN_SHARD_SIZE": "2000"}
    result = scene.run("sh", "-e", "-c", block, SCENE=str(scene.folder), **few)
    assert result.returncode == 0, result.stderr
    assert results(scene.folder / "tracks") == scene.plain("tss-yeast", "--mode", "window")
