"""``trackgen view --igv`` against a server that talks as IGV Desktop does."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Trackgen
from trackgen.errors import DataError, ResourceError, UsageError
from trackgen.serve.igv_desktop import IgvRequest, parse_range, show_in_igv


class FakeIgv:
    """One line in, one line back; `answers` replaces the answer to commands that begin with its keys."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.answers: dict[str, Callable[[str], str | None]] = {"echo": lambda line: line.partition(" ")[2] or "echo"}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as lines:
            for line in lines:
                command = line.decode().rstrip("\n")
                self.commands.append(command)
                key = next((key for key in self.answers if command.startswith(key)), None)
                answer = "OK" if key is None else self.answers[key](command)
                if answer is None:
                    return
                lines.write(f"{answer}\n".encode())
                lines.flush()


@pytest.fixture
def igv() -> Iterator[FakeIgv]:
    fake = FakeIgv()
    yield fake
    fake.listener.close()


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    folder = tmp_path / "my hub, 50%"
    folder.mkdir()
    (folder / "igv.xml").write_text("<Session/>")
    (folder / "a.bw").write_bytes(b"")
    return folder


def asked(igv: FakeIgv, *targets: str, **options: object) -> list[str]:
    """What IGV was told, without the greeting."""
    show_in_igv(IgvRequest(targets, **options), port=igv.port, seconds=5)  # type: ignore[arg-type]
    return igv.commands[1:]


def test_a_hub_is_its_session_and_files_are_named_with_their_whole_path(igv: FakeIgv, hub: Path) -> None:
    told = asked(igv, str(hub), str(hub / "a.bw"), "https://example.org/x.bw", locus="chrI:1,000-2,000")
    assert igv.commands[0].startswith("echo")
    assert told == [
        f'load "{hub}/igv.xml"',
        f'load "{hub}/a.bw"',
        "load https://example.org/x.bw",
        "goto chrI:1000-2000",
    ]


def test_paths_are_taken_from_here_not_from_where_igv_was_started(
    igv: FakeIgv, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hub)
    (hub / "my.fa").write_text(">a\n")
    assert asked(igv, "a.bw", genome="my.fa") == [f'genome "{hub}/my.fa"', f'load "{hub}/a.bw"']


@pytest.mark.parametrize(("given", "told"), [((0, 1), "0,1"), ((-0.5, 1.25), "-0.5,0,1.25"), ((-2, -1), "-2,-1")])
def test_an_axis_with_both_signs_stands_on_zero(igv: FakeIgv, hub: Path, given: tuple[float, float], told: str) -> None:
    commands = asked(igv, str(hub), genome="hg38", data_range=given)
    assert commands[0] == "genome hg38"
    assert commands[-1] == f"setDataRange {told}"


@pytest.mark.parametrize(
    "answer", ["ERROR: Could not load genome: x", "Error: no", "UNKNOWN COMMAND: x", "UNKOWN COMMAND"]
)
def test_what_igv_could_not_do_is_told_in_its_own_words(igv: FakeIgv, hub: Path, answer: str) -> None:
    igv.answers["genome"] = lambda _: answer
    with pytest.raises(DataError, match=answer):
        asked(igv, str(hub), genome="x")
    assert not any(command.startswith("load") for command in igv.commands)


def test_an_igv_that_waits_for_a_click_is_told_as_that(igv: FakeIgv, hub: Path) -> None:
    igv.answers["load"] = lambda _: str(time.sleep(30))
    with pytest.raises(ResourceError, match=r"not answered within 0\.3 seconds.*waits for a click"):
        show_in_igv(IgvRequest((str(hub),)), port=igv.port, seconds=0.3)


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for_longer_than_one_that_does_not_come(hub: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection:
                for _ in range(100):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return
                    time.sleep(0.1)

        threading.Thread(target=trickle, daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(UsageError, match="does not answer as IGV does"):
            show_in_igv(IgvRequest((str(hub),)), port=listener.getsockname()[1], seconds=0.5)
        assert time.monotonic() - begun < 5


def test_an_answer_that_comes_in_parts_and_one_that_comes_early_are_both_read(hub: Path) -> None:
    answers: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            connection, _ = listener.accept()
            with connection:
                for part in (b"track", b"gen\r\nOK 1\nO", b"K 2\n"):
                    connection.sendall(part)
                    time.sleep(0.05)
                connection.recv(1000)

        threading.Thread(target=talk, daemon=True).start()
        request = IgvRequest((str(hub),), locus="ACT1")
        show_in_igv(
            request, port=listener.getsockname()[1], seconds=20, on_answer=lambda _, answer: answers.append(answer)
        )
    assert answers == ["OK 1", "OK 2"]


def test_what_the_other_program_says_cannot_command_the_terminal(igv: FakeIgv, hub: Path, trackgen: Trackgen) -> None:
    igv.answers["load"] = lambda _: "OK \x1b]0;x\x07\x1b[2J\u202e" + "y" * 5000
    done = trackgen("view", "--igv", hub, "--port", igv.port)
    assert done.returncode == 0
    assert "OK ?]0;x??[2J?yyy" in done.stderr
    assert done.stderr.rstrip("\n").isprintable()
    assert len(done.stderr) < 1000
    igv.answers["load"] = lambda _: "ERROR \x1b[2J"
    with pytest.raises(DataError, match=r"found ERROR \?\[2J\."):
        asked(igv, str(hub))


def test_an_axis_is_told_without_loss(igv: FakeIgv, hub: Path) -> None:
    assert asked(igv, str(hub), data_range=(1000000.1, 1000000.2))[-1] == "setDataRange 1000000.1,1000000.2"
    assert asked(igv, str(hub), data_range=(-1e-7, 123456789.0))[-1] == "setDataRange -1e-07,0,123456789"


def test_an_igv_that_ends_is_told(igv: FakeIgv, hub: Path) -> None:
    igv.answers["load"] = lambda _: None
    with pytest.raises(ResourceError, match="IGV ended the connection"):
        asked(igv, str(hub))


def test_another_program_on_the_port_is_not_taken_for_igv(igv: FakeIgv, hub: Path) -> None:
    igv.answers["echo"] = lambda _: "HTTP/1.1 400 Bad Request"
    with pytest.raises(UsageError, match="does not answer as IGV does; found HTTP/1"):
        asked(igv, str(hub))
    assert len(igv.commands) == 1


def test_nothing_on_the_port_is_told_with_what_to_do(hub: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(UsageError, match=r"IGV does not listen there.*Preferences > Advanced"):
            show_in_igv(IgvRequest((str(hub),)), port=silent.getsockname()[1])


def test_files_are_looked_for_before_igv_is_asked(igv: FakeIgv, hub: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        asked(igv, str(hub), str(hub / "nothing.bw"))
    with pytest.raises(DataError, match=r"no session for IGV; wanted igv\.xml"):
        asked(igv, str(tmp_path))
    assert igv.commands == []


@pytest.mark.parametrize("name", ['a"b.bw', "a\nexit.bw", "a\x1b[2Jb.bw"])
def test_a_name_cannot_smuggle_in_a_command(igv: FakeIgv, hub: Path, name: str) -> None:
    (hub / name).write_bytes(b"")
    with pytest.raises(UsageError, match="IGV cannot be told a name"):
        asked(igv, str(hub / name))
    with pytest.raises(UsageError, match="IGV cannot be told a name"):
        asked(igv, str(hub), locus="chrI:1-2\nexit")
    with pytest.raises(UsageError, match="IGV cannot be told a name"):
        asked(igv, str(hub), genome="hg38\x1b[2J")
    assert igv.commands == []


@pytest.mark.parametrize("text", ["1", "1,2,3", "a,b", "2,1", "nan,1", "0,inf", ""])
def test_a_range_is_two_numbers_in_order(text: str) -> None:
    assert parse_range("-0.1,0.3") == (-0.1, 0.3)
    with pytest.raises(UsageError, match="this is no range"):
        parse_range(text)


def test_the_command_tells_each_answer(igv: FakeIgv, hub: Path, trackgen: Trackgen) -> None:
    done = trackgen("view", "--igv", hub, "--port", igv.port, "--locus", "ACT1", "--range", "0,1")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [f'load "{hub}/igv.xml": OK', "goto ACT1: OK", "setDataRange 0,1: OK"]
    igv.answers["goto"] = lambda _: "ERROR: not found"
    assert trackgen("view", "--igv", hub, "--port", igv.port, "--locus", "X").returncode == 3
    assert trackgen("view", hub, hub).returncode == 2


@pytest.mark.parametrize(
    "option", [("--genome", "hg38"), ("--range", "0,1"), ("--host", "127.0.0.1"), ("--timeout", "5")]
)
def test_what_is_meant_for_igv_is_refused_without_it(hub: Path, trackgen: Trackgen, option: tuple[str, str]) -> None:
    done = trackgen("view", hub, *option)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{option[0]} needs --igv" in done.stderr


def test_without_igv_the_hub_is_served_and_its_page_opened(root: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    code = "from trackgen.cli.main import main; main()"
    command = [sys.executable, "-c", code, "view", str(root), "--port", "0", "--locus", "chrI:1-20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={"BROWSER": f"{browser} %s"}, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        end = time.monotonic() + 20
        while not (tmp_path / "opened").exists() and time.monotonic() < end:
            time.sleep(0.05)
        process.terminate()
    assert (tmp_path / "opened").read_text().strip() == f"{address}?locus=chrI:1-20"
