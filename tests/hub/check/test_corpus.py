"""Every planted fault is found, and nothing else; hubs without one have no finding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.hub.check.corpus import FAILED, PASSED, Corpus, read_corpus
from tests.hub.check.misbehaving import served
from trackgen.hub.check import RULES, HubCheck, check_hub

ALL = [read_corpus(path) for path in [*FAILED, *PASSED]]


def checked(corpus: Corpus, folder: Path) -> HubCheck:
    corpus.build(folder)
    if not corpus.server:
        return check_hub(str(folder))
    with served(folder, corpus.server) as (address, _):
        return check_hub(address, seconds=10)


def listed(check: HubCheck) -> Sequence[str]:
    return [f"{finding.rule} {finding.place}: {finding.text}" for finding in check.findings]


@pytest.mark.parametrize("corpus", ALL, ids=lambda corpus: f"{corpus.path.parent.name}-{corpus.path.stem}")
def test_exactly_the_planted_fault_is_reported(corpus: Corpus, tmp_path: Path) -> None:
    check = checked(corpus, tmp_path / "hub")
    assert {finding.rule for finding in check.findings} == set(corpus.rules), listed(check)
    for finding in check.findings:
        assert finding.place.file
        assert finding.text.endswith((".", "?"))
        assert "\n" not in finding.text


def test_every_rule_has_a_hub_that_breaks_it() -> None:
    assert {rule for corpus in ALL for rule in corpus.rules} == set(RULES)


def test_every_failed_hub_names_its_cause_and_no_passed_one_does() -> None:
    assert all(bool(corpus.rules) == (corpus.path.parent.name == "failed") for corpus in ALL)
    assert len(FAILED) >= 45


def test_the_corpus_check_can_fail(tmp_path: Path) -> None:
    corpus = next(corpus for corpus in ALL if corpus.rules == ("VALUE-COLOR",))
    corpus.texts["hub.txt"] = corpus.texts["hub.txt"].replace("color", "priority 1\n#")
    assert not checked(corpus, tmp_path / "hub").findings
