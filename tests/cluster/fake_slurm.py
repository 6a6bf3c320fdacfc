"""A stand-in for Slurm in one folder: ``sbatch`` and ``scontrol requeue`` as far as the documented scripts use them.

Jobs run in the background, the tasks of an array three at a time, each a process of its own with Slurm's variables; a
job waits for those that it depends on, and never starts where one of them failed. ``FAKE_SLURM`` names the folder of
the state; ``FAKE_SLURM_LOSE=K`` loses the node of task K: killed in the middle of its first shard, and put back into
the queue.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

STATE = Path(os.environ["FAKE_SLURM"])
AT_ONCE = 3
KNOWN = ("--parsable", "--kill-on-invalid-dep", "--dependency", "--array", "--cpus-per-task", "--wrap")
KNOWN_RESOURCES = ("--partition", "--gpus")


def tell(text: str) -> None:
    with open(STATE / "events", "a", encoding="utf-8") as file:
        file.write(text + "\n")


def sbatch(words: list[str]) -> None:
    """Take a job and say its number."""
    options = {}
    while words and words[0].startswith("--"):
        name, _, value = words.pop(0).partition("=")
        assert name in KNOWN + KNOWN_RESOURCES, name
        options[name] = value
    assert bool(words) != ("--wrap" in options), "a script, or --wrap"
    # Slurm keeps a copy of the script: the folder that it came from is unknown to it.
    script = Path(words[0]).read_text(encoding="utf-8") if words else f"#!/bin/sh\n{options['--wrap']}\n"
    number = 100 * (1 + sum(1 for _ in STATE.glob("*.job")))
    (STATE / f"{number}.script").write_text(script, encoding="utf-8")
    (STATE / f"{number}.job").write_text(json.dumps({"options": options, "words": words[1:]}), encoding="utf-8")
    subprocess.Popen(
        [sys.executable, __file__, "run", str(number)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(STATE / f"{number}.err", "w"),  # noqa: SIM115
        start_new_session=True,
    )  # fmt: skip
    print(f"{number};cluster")


def run(number: int) -> None:
    """Run a job when its turn comes."""
    job = json.loads((STATE / f"{number}.job").read_text(encoding="utf-8"))
    options = job["options"]
    kind, _, before = options.get("--dependency", "").partition(":")
    assert kind in ("", "afterok")
    end = "never"
    if not before or wait_for(int(before)) == "ok":
        first, _, last = options.get("--array", "0-0").partition("-")
        tasks = range(int(first), int(last) + 1)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            good = list(
                pool.map(lambda task: run_task(number, task, "--array" in options, len(tasks), job["words"]), tasks)
            )
        end = "ok" if all(good) else "failed"
    (STATE / "ending").write_text(end)
    os.replace(STATE / "ending", STATE / f"{number}.ended")


def wait_for(number: int) -> str:
    path = STATE / f"{number}.ended"
    while not path.exists():
        time.sleep(0.02)
    return path.read_text()


def run_task(number: int, task: int, array: bool, count: int, words: list[str]) -> bool:
    """One task, again and again while it is put back into the queue."""
    own = number + task
    variables = {"SLURM_JOB_ID": str(own), "SLURM_CPUS_PER_TASK": "1", "SLURM_PROCID": "0"}
    if array:
        variables |= {
            "SLURM_ARRAY_JOB_ID": str(number),
            "SLURM_ARRAY_TASK_ID": str(task),
            "SLURM_ARRAY_TASK_COUNT": str(count),
        }
    restarts, again = 0, True
    while again:
        environment = {**os.environ, **variables, **({"SLURM_RESTART_COUNT": str(restarts)} if restarts else {})}
        tell(f"start {number} {task}")
        with open(STATE / f"{own}.log", "a", encoding="utf-8") as log:
            process = subprocess.Popen(
                ["sh", str(STATE / f"{number}.script"), *words],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            lost = not restarts and array and os.environ.get("FAKE_SLURM_LOSE") == str(task)
            if lost:
                lose_node(process, f"{number}_{task}_0")
            status = process.wait()
        tell(f"end {number} {task} {status}")
        again = lost or (STATE / f"{own}.requeue").exists()
        (STATE / f"{own}.requeue").unlink(missing_ok=True)
        restarts += 1
    return status == 0


def lose_node(process: subprocess.Popen[bytes], job: str) -> None:
    """Kill a task when it has a lock, and let the lock be of a host that nobody knows."""
    while True:
        for path in Path("tracks/.trackgen/shards").glob("*.lock"):
            try:
                held = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            if held["job"] != job:
                continue
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if path.exists():
                path.write_text(json.dumps({**held, "host": "lost-node"}))
                tell(f"lost {path.name}")
                return
            raise AssertionError("the task had just released its lock")
        assert process.poll() is None, "the task ended before it was seen at work"
        time.sleep(0.001)


if __name__ == "__main__":
    if sys.argv[1] == "sbatch":
        sbatch(sys.argv[2:])
    elif sys.argv[1] == "run":
        run(int(sys.argv[2]))
    else:
        assert sys.argv[1:3] == ["scontrol", "requeue"]
        (STATE / f"{sys.argv[3]}.requeue").touch()
