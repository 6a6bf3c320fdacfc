"""Whatever is given: findings or a refusal, never a traceback, never a file that was not meant, and no long wait."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hub.check.corpus import FAILED, PASSED, read_corpus, write_bigwig, write_two_bit
from trackgen.errors import DataError
from trackgen.hub.check import HubCheck, check_hub, report_json, report_text
from trackgen.hub.check.findings import shown

HEAD = "hub h\nshortLabel h\nlongLabel h\nuseOneFile on\nemail a@b.org\ndescriptionUrl a.html\n\ngenome madeUp1\n\n"
ONE = next(path for path in PASSED if path.stem == "one-file")


def check_text(text: str | bytes, folder: Path, **others: bytes) -> HubCheck:
    """Check a hub whose hub.txt is `text`."""
    (folder / "a.html").write_text("<p>a</p>")
    (folder / "hub.txt").write_bytes(text.encode() if isinstance(text, str) else text)
    for name, data in others.items():
        (folder / name.replace("_", ".")).write_bytes(data)
    return check_hub(str(folder))


def track(address: str) -> str:
    return f"track t\nshortLabel t\nlongLabel t\ntype bigWig\nhtml a.html\nbigDataUrl {address}\n"


def rules(check: HubCheck) -> set[str]:
    return {finding.rule for finding in check.findings}


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("../secret", "FILE-OUTSIDE"),
        ("../../../../../../etc/passwd", "FILE-OUTSIDE"),
        ("a/../../secret", "FILE-OUTSIDE"),
        ("%2e%2e/secret", "FILE-OUTSIDE"),
        ("..%2fsecret", "FILE-OUTSIDE"),
        ("..%5csecret", "FILE-OUTSIDE"),
        ("..\\secret", "FILE-OUTSIDE"),
        ("/etc/passwd", "FILE-ABSOLUTE"),
        ("//etc/passwd", "FILE-ABSOLUTE"),
        ("%2fetc%2fpasswd", "FILE-ABSOLUTE"),
        ("\\\\host\\share", "FILE-ABSOLUTE"),
        ("~/secret", "FILE-ABSOLUTE"),
        ("C:/secret", "FILE-ABSOLUTE"),
        ("file:///etc/passwd", "FILE-ABSOLUTE"),
        ("FILE:/etc/passwd", "FILE-ABSOLUTE"),
        ("ftp://h.org/x.bw", "ADDRESS-LIMITED"),
        ("data:text/plain,x", "ADDRESS-SCHEME"),
        ("javascript:alert(1)", "ADDRESS-SCHEME"),
        ("gopher://h/x", "ADDRESS-SCHEME"),
        ("http://[::1", "ADDRESS-FORM"),
        ("http://h:port/x", "ADDRESS-FORM"),
        ("http://", "ADDRESS-FORM"),
        ("http://127.0.0.1/x", "ADDRESS-PRIVATE"),
        ("http://127.1/x", "ADDRESS-PRIVATE"),
        ("http://2130706433/x", "ADDRESS-PRIVATE"),
        ("http://0x7f000001/x", "ADDRESS-PRIVATE"),
        ("http://[::1]/x", "ADDRESS-PRIVATE"),
        ("http://10.0.0.1/x", "ADDRESS-PRIVATE"),
        ("http://host.local/x", "ADDRESS-PRIVATE"),
        (".", "FILE-UNREADABLE"),
        ("x" * 5000, "FILE-UNREADABLE"),
        ("a.html/x.bw", "FILE-MISSING"),
    ],
)
def test_addresses_that_lead_elsewhere_are_named_and_not_followed(tmp_path: Path, address: str, rule: str) -> None:
    (tmp_path / "secret").write_text("not yours")
    folder = tmp_path / "hub"
    folder.mkdir()
    check = check_text(HEAD + track(address), folder)
    assert rules(check) == {rule}
    assert "6e 6f 74 20" not in report_text(check)


@pytest.mark.parametrize("setting", ["genomesFile", "include", "trackDb", "groups", "html", "twoBitPath", "chromSizes"])
def test_no_setting_opens_a_file_outside(tmp_path: Path, setting: str) -> None:
    (tmp_path / "secret").write_text("track stolen\n")
    folder = tmp_path / "hub"
    folder.mkdir()
    if setting == "genomesFile":
        text = HEAD.replace("useOneFile on", "genomesFile ../secret")
    elif setting == "include":
        text = f"{HEAD}include ../secret\n"
    elif setting == "html":
        text = HEAD + track("x.bw").replace("html a.html", "html ../secret")
    else:
        text = HEAD.replace("genome madeUp1", f"genome madeUp1\n{setting} ../secret") + track("x.bw")
    check = check_text(text, folder)
    if setting == "trackDb":
        # In the form of one file nobody reads it.
        assert "FILE-MISSING" in rules(check)
    else:
        assert "FILE-OUTSIDE" in rules(check)
    assert "stolen" not in report_json(check)


def test_a_pipe_and_a_device_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.bw")
    (tmp_path / "zero.bw").symlink_to("/dev/zero")
    text = HEAD + track("pipe.bw") + "\n" + track("zero.bw").replace("track t", "track u")
    check = check_text(text, tmp_path)
    assert [finding.rule for finding in check.findings] == ["FILE-UNREADABLE", "FILE-UNREADABLE"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_finding(tmp_path: Path) -> None:
    write_bigwig(tmp_path / "x.bw", {"chrA": 1000})
    (tmp_path / "x.bw").chmod(0)
    assert rules(check_text(HEAD + track("x.bw"), tmp_path)) == {"FILE-UNREADABLE"}


def test_links_that_lead_in_a_circle_are_a_finding(tmp_path: Path) -> None:
    (tmp_path / "x.bw").symlink_to("x.bw")
    assert rules(check_text(HEAD + track("x.bw"), tmp_path)) == {"FILE-UNREADABLE"}


def test_links_are_followed_as_tools_that_stage_hubs_make_them(tmp_path: Path) -> None:
    write_bigwig(tmp_path / "elsewhere.bw", {"chrA": 1000})
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "x.bw").symlink_to(tmp_path / "elsewhere.bw")
    assert not check_text(HEAD + track("x.bw"), folder).findings


def test_a_line_of_a_megabyte_is_reported_briefly(tmp_path: Path) -> None:
    write_bigwig(tmp_path / "x.bw", {"chrA": 1000})
    check = check_text(f"{HEAD}{track('x.bw')}{'x' * 1_000_000} {'y' * 1_000_000}\n", tmp_path)
    assert rules(check) == {"TEXT-LONG-LINE", "SETTING-UNKNOWN"}
    assert len(report_text(check)) < 2000


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("viewLimits " + "1" * 200_000 + "x", "VALUE-LIMITS"),
        ("viewLimits 0:" + "9" * 200_000, "VALUE-LIMITS"),
        ("priority " + "1" * 200_000 + "..", "VALUE-NUMBER"),
        ("maxItems " + "1" * 200_000 + "x", "VALUE-NUMBER"),
        ("smoothingWindow " + "9" * 200_000, "VALUE-NUMBER"),
        ("color " + "1," * 100_000, "VALUE-COLOR"),
        ("maxHeightPixels " + "9" * 200_000 + ":1:1", "VALUE-HEIGHT"),
        ("subGroups " + "a=b" * 60_000, "SUBGROUP-FORM"),
        ("signalFilterLimitsFilter" * 10_000 + " 1", "TEXT-LONG-LINE"),
    ],
)
def test_long_values_neither_stop_the_check_nor_take_long(tmp_path: Path, line: str, rule: str) -> None:
    write_bigwig(tmp_path / "x.bw", {"chrA": 1000})
    start = time.process_time()
    check = check_text(f"{HEAD}{track('x.bw')}{line}\n", tmp_path)
    assert rule in rules(check)
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("defaultPos chrA:1-" + "9" * 5000, "GENOME-POSITION"),
        ("defaultPos chrA:" + ",,,-,,,", "GENOME-POSITION"),
        ("orderKey " + "9" * 5000, "VALUE-NUMBER"),
    ],
)
def test_absurd_numbers_of_a_genome_are_findings(tmp_path: Path, line: str, rule: str) -> None:
    write_bigwig(tmp_path / "x.bw", {"chrA": 1000})
    text = HEAD.replace("genome madeUp1\n", f"genome madeUp1\n{line}\n") + track("x.bw")
    assert rules(check_text(text, tmp_path)) == {rule}


def test_an_address_of_dots_and_signs_takes_no_time(tmp_path: Path) -> None:
    write_bigwig(tmp_path / "x.bw", {"chrA": 1000})
    start = time.process_time()
    check = check_text(HEAD.replace("a@b.org", "a@" + "." * 60_000 + "@") + track("x.bw"), tmp_path)
    assert rules(check) == {"HUB-EMAIL"}
    assert time.process_time() - start < 20


def test_circles_of_parents_of_any_length_end(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(3000)]
    stanzas = [
        f"track {name}\nsuperTrack on\nparent {names[index - 1]}\nshortLabel s\nlongLabel l\n"
        for index, name in enumerate(names)
    ]
    check = check_text(HEAD + "\n".join(stanzas), tmp_path)
    assert rules(check) == {"PARENT-LOOP"}
    assert check.counts["error"] == 1


def test_deep_chains_of_parents_are_no_circle_and_no_recursion(tmp_path: Path) -> None:
    write_bigwig(tmp_path / "x.bw", {"chrA": 1000})
    stanzas = ["track c0\nsuperTrack on\nshortLabel s\nlongLabel l\n"]
    stanzas += [f"track c{i}\nsuperTrack on\nparent c{i - 1}\nshortLabel s\nlongLabel l\n" for i in range(1, 2000)]
    check = check_text(HEAD + "\n".join(stanzas) + "\n" + track("x.bw") + "parent c1999\n", tmp_path)
    assert not check.findings


@pytest.mark.parametrize("tracks", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_hub_of_up_to_a_million_lines_is_checked_in_linear_time(tmp_path: Path, tracks: int) -> None:
    rest = "shortLabel t\nlongLabel t\ntype bigWig\nhtml a.html\nbigDataUrl gone.bw\ncolour 1\ncolor 1\npriority 1\n\n"
    text = HEAD + "".join(f"track t{number}\n{rest}" for number in range(tracks))
    assert text.count("\n") > 10 * tracks
    start = time.process_time()
    check = check_text(text, tmp_path)
    seconds = time.process_time() - start
    assert rules(check) == {"FILE-MISSING", "SETTING-UNKNOWN", "VALUE-COLOR"}
    assert check.counts["error"] == 3 * tracks
    assert check.left_out == 3 * tracks - 3000
    assert report_text(check).count("\n") < 100
    # Some 0.2 ms a track; generous, since a busy machine is no fault. What is not linear takes minutes.
    assert seconds < 10 + tracks / 1000


def test_latin_letters_windows_lines_tabs_and_marks_at_once_are_all_named(tmp_path: Path) -> None:
    write_bigwig(tmp_path / "x.bw", {"chrA": 1000})
    text = b"\xef\xbb\xbf" + (HEAD + track("x.bw").replace("shortLabel t", "shortLabel\té")).encode("latin-1")
    check = check_text(text.replace(b"\n", b"\r\n"), tmp_path)
    assert rules(check) == {"TEXT-BOM", "TEXT-ENCODING", "TEXT-LINE-ENDS", "TEXT-TAB"}


def test_values_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    check = check_text(f"{HEAD}{track('x.bw')}color \x1b[2J\x07evil\n", tmp_path)
    assert "\x1b" not in report_text(check)
    assert "\\x1b[2J" in report_text(check)


def test_neither_names_nor_addresses_of_a_hub_write_to_the_terminal(tmp_path: Path) -> None:
    evil = "\x9b2J\u202e"
    (tmp_path / f"{evil}.txt").write_text(f"track t{evil}\ncolour 1\n")
    write_two_bit(tmp_path / "g.2bit", {"chr\x1b[2J": 1000})
    write_bigwig(tmp_path / "x.bw", {"chrA": 1000})
    text = HEAD.replace("genome madeUp1\n", f"genome {evil}\ntwoBitPath g.2bit\n") + f"include {evil}.txt\n\n"
    check = check_text(text + track("x.bw") + f"filter.{evil} 1\ngroup {evil}\n", tmp_path)
    assert {"DATA-NAMES", "SETTING-UNKNOWN"} <= rules(check)
    for report in (report_text(check), report_json(check)):
        assert all(line.isprintable() for line in report.split("\n"))
        assert "\\x9b2J" in report


@pytest.mark.parametrize(("text", "short"), [("a\nb", "a\\nb"), ("é", "é"), ("\u202e", "\\u202e"), ("x" * 500, "...")])
def test_what_is_shown_is_short_and_printable(text: str, short: str) -> None:
    assert short in shown(text)
    assert len(shown(text)) <= 110
    assert shown(text).isprintable()


@settings(max_examples=150)
@given(data=st.binary(max_size=400))
def test_any_bytes_in_place_of_the_hub_end_in_findings(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "hub.txt").write_bytes(data)
        check = check_hub(folder)
        assert check.findings
        report_json(check)


LINES = st.sampled_from(
    sorted({line for path in FAILED for line in read_corpus(path).texts["hub.txt"].splitlines()} | {"", " ", "\\", "#"})
)


@settings(max_examples=200)
@given(lines=st.lists(LINES, max_size=60))
def test_any_mixture_of_the_lines_of_hubs_ends_in_a_report(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "hub.txt").write_text("\n".join([*HEAD.splitlines(), *lines]), encoding="utf-8")
        check = check_hub(folder)
        assert report_text(check).endswith("\n")
        report_json(check)


@settings(max_examples=150)
@given(cut=st.integers(0, 5000), patches=st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 255)), max_size=6))
def test_a_damaged_bigwig_is_a_finding_or_nothing(cut: int, patches: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signal.bw"
        write_bigwig(path, {"chrA": 1000, "chrB": 200})
        data = bytearray(path.read_bytes())
        for place, value in patches:
            if place < len(data):
                data[place] = value
        corpus = read_corpus(ONE)
        for name, text in corpus.texts.items():
            (Path(folder) / name).write_text(text)
        path.write_bytes(data[: len(data) - cut] if cut < len(data) else data)
        check = check_hub(folder)
        assert all(rule.startswith(("DATA-", "FILE-")) for rule in rules(check))


@pytest.mark.parametrize("target", ["nowhere", "nowhere/hub.txt", "", "\0", "a" * 5000])
def test_a_hub_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="hub") as caught:
        check_hub(target)
    assert caught.value.exit_status == 3


def test_a_folder_with_several_hubs_asks_which(tmp_path: Path) -> None:
    for name in ("a.hub.txt", "b.hub.txt"):
        (tmp_path / name).write_text("hub h\n")
    with pytest.raises(DataError, match=r"no hub in the folder; found a\.hub\.txt, b\.hub\.txt"):
        check_hub(str(tmp_path))
    (tmp_path / "b.hub.txt").unlink()
    assert check_hub(str(tmp_path)).findings[0].place.file == "a.hub.txt"
