"""``--cluster``: shards on Dask workers, each a process of its own, some of which die.

``/proc/self/cwd/...`` names another file for each process that stands in another folder: so a worker on this machine
sees other files at the same path.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import trackgen
from tests.cluster.scenes import SLOW, Scene, results, shards_in, wait_until
from tests.models import small_model
from tests.source import ROOT
from trackgen.errors import ModelError, ResourceError, TrackgenError, UsageError
from trackgen.scan import dask_client

SLOW_WORDS = {"mode": "window", "batch_size": 1, "tile": 500, "shard_size": 500, "device": "cpu", "threads": 1}
HERE = "/proc/self/cwd"
RUN_WORKER = "from distributed.cli.dask_worker import main; main()"


class Dask:
    """A scheduler and workers as separate processes."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.workers: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        self.scheduler = self._start(
            "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard",
            "--scheduler-file", file,
        )  # fmt: skip
        wait_until(lambda: file.exists() and file.read_text().strip().endswith("}"))
        self.address: str = json.loads(file.read_text())["address"]

    def add_workers(self, count: int = 1, folder: Path | None = None, code: str = "") -> None:
        """Start workers of one thread; nobody starts them again."""
        module = ("-c", code) if code else ("-m", "distributed.cli.dask_worker")
        for _ in range(count):
            words = (*module, self.address, "--nthreads", 1, "--no-nanny", "--no-dashboard", "--local-directory", HERE)
            self.workers.append(self._start(*words, folder=folder))

    def _start(self, *words: object, folder: Path | None = None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            cwd=folder or self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process


@contextmanager
def dask_in(folder: Path) -> Iterator[Dask]:
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        yield Dask(folder, stack)


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    """A scheduler without workers."""
    with dask_in(tmp_path / "dask") as started:
        yield started


@pytest.fixture
def here(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scene's folder, in which this process stands."""
    monkeypatch.chdir(scene.folder)
    return scene.folder


def wait_for_a_worker(dask: Dask) -> None:
    import distributed

    with distributed.Client(dask.address) as client:
        client.wait_for_workers(1, timeout=60)


def test_processes_of_this_machine_give_the_bytes_of_a_plain_run(scene: Scene) -> None:
    result = scene.run("trackgen", "scan", "small.onnx", "genome.fa", "-o", "out", *SLOW, "--cluster", "local:2")
    assert result.returncode == 0, result.stderr
    assert "cluster: local:2, 2 workers" in result.stderr
    assert "Traceback" not in result.stderr
    assert {Path(line).name for line in result.stdout.split()} == {
        name for name in results(scene.folder / "out") if name.endswith(".bw")
    }
    assert results(scene.folder / "out") == scene.plain("small.onnx", "--mode", "window")


def test_workers_of_a_scheduler_give_the_bytes_of_a_plain_run_also_where_one_is_killed(
    scene: Scene, dask: Dask
) -> None:
    dask.add_workers(2)
    with scene.start(
        "trackgen", "scan", "small.onnx", "genome.fa", "-o", "out", *SLOW, "--cluster", dask.address
    ) as process:
        wait_until(lambda: shards_in(scene.folder / "out"))
        dask.workers[0].send_signal(signal.SIGKILL)
        made = shards_in(scene.folder / "out")
        _, told = process.communicate(timeout=100)
    assert process.returncode == 0, told
    assert made < json.loads((scene.folder / "out" / "run.json").read_text())["shards"]
    assert results(scene.folder / "out") == scene.plain("small.onnx", "--mode", "window")


def test_without_any_worker_a_scan_ends_after_a_while_and_goes_on_when_there_is_one(
    scene: Scene, here: Path, dask: Dask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_client, "WORKERLESS_SECONDS", 2.0)
    dask.add_workers(1)
    real, notes = dask_client._workers, []

    def kill_when_at_work(client: object) -> object:
        if shards_in(here / "out"):
            notes.append(shards_in(here / "out"))
            dask.workers[0].kill()
        return real(client)

    monkeypatch.setattr(dask_client, "_workers", kill_when_at_work)
    monkeypatch.setattr(dask_client, "LOOK_EVERY", 0.01)
    message = "the cluster has no worker; found none for 2 seconds; wanted at least one.*no-workers-timeout"
    with pytest.raises(ResourceError, match=message) as caught:
        trackgen.scan("small.onnx", "genome.fa", "out", **SLOW_WORDS, cluster=dask.address)
    assert caught.value.exit_status == 75
    monkeypatch.setattr(dask_client, "_workers", real)
    assert shards_in(here / "out") >= notes[0]
    dask.add_workers(1)
    trackgen.scan("small.onnx", "genome.fa", "out", **SLOW_WORDS, cluster=dask.address)
    assert results(here / "out") == scene.plain("small.onnx", "--mode", "window")


def test_dasks_own_setting_says_how_long_to_wait_for_workers(here: Path, dask: Dask) -> None:
    import dask as library

    with (
        library.config.set({dask_client.WORKERLESS_SETTING: "1500 ms"}),
        pytest.raises(ResourceError, match="found none for 2 seconds"),
    ):
        trackgen.scan("small.onnx", "genome.fa", "out", **SLOW_WORDS, cluster=dask.address)
    assert not (here / "out").exists()


def test_a_scheduler_that_goes_away_ends_the_scan(here: Path, dask: Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_client, "CONNECT_SECONDS", 2.0)
    dask.add_workers(1)
    real = dask_client._outcome

    def kill_first(future: object, what: str, look: object) -> object:
        dask.scheduler.kill()
        return real(future, what, look)  # type: ignore[arg-type]

    monkeypatch.setattr(dask_client, "_outcome", kill_first)
    with pytest.raises(ResourceError, match=r"the Dask scheduler went away.*goes on where it stopped"):
        trackgen.scan("small.onnx", "genome.fa", "out", **SLOW_WORDS, cluster=dask.address)


@pytest.mark.parametrize(
    "address", ["nonsense", "local:0", "local:", "local:two", "tcp://host:port", "bogus://host:1", "tcp://host:1/x"]
)
def test_what_is_no_address_is_refused(here: Path, address: str) -> None:
    with pytest.raises(UsageError, match=f"--cluster: no address of a Dask cluster; found {address}.*wanted local:N"):
        trackgen.scan("small.onnx", "genome.fa", "out", cluster=address, device="cpu", threads=1)
    assert not (here / "out").exists()


def test_a_scheduler_that_is_not_there_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_client, "CONNECT_SECONDS", 1.0)
    with pytest.raises(ResourceError, match=r"does not answer; found tcp://127\.0\.0\.1:1: .*See whether") as caught:
        trackgen.scan("small.onnx", "genome.fa", "out", cluster="tcp://127.0.0.1:1", device="cpu", threads=1)
    assert caught.value.exit_status == 75
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("absent", "error", "message"),
    [
        ("output", UsageError, r"out.*on the worker tcp://.*the folder holds no plan to join"),
        ("model", ModelError, r"small\.onnx.*on the worker tcp://.*the model file does not exist"),
        ("genome", TrackgenError, r"genome\.fa.*on the worker tcp://"),
    ],
)
def test_a_worker_that_does_not_see_a_file_is_told_at_once(
    here: Path, dask: Dask, absent: str, error: type[TrackgenError], message: str
) -> None:
    dask.add_workers(1, code=f"from trackgen.scan import cluster; cluster.JOIN_SECONDS = 0.1; {RUN_WORKER}")
    paths = {"model": "small.onnx", "genome": "genome.fa", "output": "out"}
    paths[absent] = f"{HERE}/{paths[absent]}"
    with pytest.raises(error, match=message):
        trackgen.scan(paths["model"], paths["genome"], paths["output"], **SLOW_WORDS, cluster=dask.address)


def test_a_worker_that_sees_another_model_at_the_same_path_is_told(here: Path, dask: Dask) -> None:
    other = here / "other"
    other.mkdir()
    small_model(other, strands="both", window=100, seed=5)
    shutil.copy(here / "genome.fa", other)
    dask.add_workers(1, folder=other)
    with pytest.raises(UsageError, match=r"on the worker tcp.*sees other files than the one that planned"):
        trackgen.scan(f"{HERE}/small.onnx", "genome.fa", "out", **SLOW_WORDS, cluster=dask.address)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (f"import sys; sys.modules['trackgen'] = None; {RUN_WORKER}", "import of trackgen halted"),
        (f"import trackgen; trackgen.__version__ = '0.0.9'; {RUN_WORKER}", "0.0.9; wanted trackgen"),
    ],
)
def test_a_worker_with_another_installation_is_told(here: Path, dask: Dask, code: str, found: str) -> None:
    dask.add_workers(1, code=code)
    wait_for_a_worker(dask)
    with pytest.raises(UsageError, match=rf"on the worker tcp.*another installation of trackgen; found {found}"):
        trackgen.scan("small.onnx", "genome.fa", "out", **SLOW_WORDS, cluster=dask.address)


def test_relative_paths_are_those_of_the_process_that_asks(here: Path, scene: Scene, dask: Dask) -> None:
    (here / "some.bed").write_text("chrI\t0\t1500\n")
    (here / "no.bed").write_text("chrI\t700\t800\n")
    dask.add_workers(1)
    options = {"regions": ["some.bed", "chrM:1-100"], "exclude": "no.bed", "device": "cpu", "threads": 1}
    trackgen.scan("small.onnx", "genome.fa", "out", **options, mode="window", cluster=dask.address)
    plain = scene.plain(
        "small.onnx", "--regions", "some.bed", "--regions", "chrM:1-100", "--exclude", "no.bed", "--mode", "window"
    )
    assert results(here / "out") == plain


@pytest.mark.parametrize("several", [("--cluster", "local:2"), ("--device", "cuda:all")])
def test_a_share_is_made_by_one_process(scene: Scene, several: tuple[str, str]) -> None:
    result = scene.run("trackgen", "scan", "small.onnx", "genome.fa", "-o", "out", "--shard", "1/2", *several)
    assert result.returncode == 2
    assert "--shard: a share of the shards is made by one process on one device" in result.stderr
    assert not (scene.folder / "out").exists()


def test_all_cuda_devices_are_not_for_a_cluster(here: Path) -> None:
    with pytest.raises(UsageError, match=r"--device: a worker has one device; found cuda:all.*wanted cuda"):
        trackgen.scan("small.onnx", "genome.fa", "out", device="cuda:all", cluster="local:2", mode="window")
    assert not (here / "out").exists()


def test_without_distributed_the_extra_is_named(scene: Scene) -> None:
    hide = "import sys; sys.modules['distributed'] = None; from trackgen.cli.main import main; main()"
    words = ("scan", "small.onnx", "genome.fa", "-o", "out", "--cluster", "local:2")
    result = scene.run(sys.executable, "-c", hide, *words)
    assert result.returncode == 2
    assert "needs distributed, which is not installed. Run `pip install 'trackgen[cluster]'`" in result.stderr
    assert not (scene.folder / "out").exists()


JOBQUEUE = """
import functools, runpy, sys
import dask_jobqueue
from dask_jobqueue.local import LocalCluster
dask_jobqueue.SLURMCluster = functools.partial(LocalCluster, scheduler_options={"host": "127.0.0.1"})
if __name__ == "__main__":
    runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.slow
def test_the_documented_dask_jobqueue_script_gives_the_bytes_of_a_plain_run(scene: Scene) -> None:
    """Exercised: the script with dask-jobqueue's LocalCluster, whose jobs are processes here, instead of Slurm's."""
    script = ROOT / "docs" / "examples" / "dask_jobqueue_scan.py"
    result = scene.run(sys.executable, "-c", JOBQUEUE, script)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.split()) == len(list((scene.folder / "tracks").glob("*.bw")))
    assert results(scene.folder / "tracks") == scene.plain("tss-yeast")


@pytest.mark.slow
def test_a_local_worker_that_is_killed_is_replaced(scene: Scene) -> None:
    words = ("trackgen", "scan", "small.onnx", "genome.fa", "-o", "out", *SLOW, "--cluster", "local:2")
    with scene.start(*words) as process:
        wait_until(lambda: shards_in(scene.folder / "out"))
        found = subprocess.run(
            ["ps", "-ww", "-eo", "pid=,pgid=,args="], capture_output=True, text=True, check=True
        ).stdout
        rows = [line.split(None, 2) for line in found.splitlines()]
        spawned = [int(pid) for pid, group, args in rows if group == str(process.pid) and "spawn_main" in args]
        assert len(spawned) == 2
        for pid in spawned:
            subprocess.run(["kill", "-9", str(pid)], check=True)
        _, told = process.communicate(timeout=100)
    assert process.returncode == 0, told
    assert results(scene.folder / "out") == scene.plain("small.onnx", "--mode", "window")


@pytest.mark.slow
def test_a_local_cluster_ends_at_once_when_it_is_told_to_and_goes_on(scene: Scene) -> None:
    words = ("trackgen", "scan", "small.onnx", "genome.fa", "-o", "out", *SLOW, "--cluster", "local:2")
    with scene.start(*words) as process:
        wait_until(lambda: shards_in(scene.folder / "out"))
        began = time.monotonic()
        process.terminate()
        _, told = process.communicate(timeout=100)
        assert time.monotonic() - began < 2, "the bar of an interruption"
    assert process.returncode == 143, told
    assert "shards are done: run the same command again, it goes on from there" in told
    assert scene.run(*words).returncode == 0
    assert results(scene.folder / "out") == scene.plain("small.onnx", "--mode", "window")
