"""Bad input of contributions: message and exit status."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models import mixed_model
from tests.scan.explained import convolution_model
from tests.scan.test_values import random_sequence, write_fasta
from trackgen.errors import DataError, SelfCheckError, TrackgenError, UsageError
from trackgen.genome import open_genome, write_twobit
from trackgen.scan import ScanOptions, attribution_check, run_scan
from trackgen.scan.contributions import ContributionSums, DenseExplainer
from trackgen.scan.explaining import ExplainedWindows, WindowExplainer
from trackgen.scan.references import plan_reference

SEQUENCES = {"a": random_sequence(np.random.default_rng(1), 400), "b": "ACGTACGTAC"}


def refusal(folder: Path, path: Path, kind: type[TrackgenError] = UsageError, **options: Any) -> str:
    """What a scan says when it is refused; nothing is left behind."""
    genome = write_fasta(folder / "g.fa", SEQUENCES)
    given = {"contrib": ("hit",), **options}
    with pytest.raises(kind) as caught:
        run_scan(ScanOptions((str(path),), genome, folder / "out", **given))
    assert not (folder / "out").exists()
    return str(caught.value)


def assert_words(message: str, *words: str) -> None:
    assert not [word for word in words if word not in message], message


@pytest.mark.parametrize(
    ("asked", "near"), [("Hit", "hit"), ("hti", "hit"), ("backgruond", "background"), ("ALL", "all")]
)
def test_a_class_that_does_not_exist_is_refused_with_the_nearest(tmp_path: Path, asked: str, near: str) -> None:
    message = refusal(tmp_path, convolution_model(tmp_path), contrib=(asked,))
    assert_words(message, f"--contrib: no model has such a class; found {asked}", f"Did you mean {near}.")
    assert_words(message, "wanted background, hit, other, all")


def test_a_class_like_no_other_is_refused_without_a_guess(tmp_path: Path) -> None:
    assert "Did you mean" not in refusal(tmp_path, convolution_model(tmp_path), contrib=("zzzzzz",))


def test_calls_need_a_threshold(tmp_path: Path) -> None:
    message = refusal(tmp_path, convolution_model(tmp_path), contrib_weight="calls")
    assert_words(message, "--contrib-weight: class hit of net has no threshold", "found calls", "`threshold`")
    assert_words(message, "trackgen model add-card")


@pytest.mark.parametrize("weight", ["calls", "probability"])
def test_a_signal_has_no_probability_to_weigh_by(tmp_path: Path, weight: str) -> None:
    message = refusal(tmp_path, convolution_model(tmp_path, activation="none"), contrib_weight=weight)
    assert_words(message, "output out of net is no probability", f"found {weight}; wanted uniform")


@pytest.mark.parametrize("option", ["contrib_weight", "reference", "attribution", "profile_target", "centred"])
def test_options_of_contributions_alone_are_refused(tmp_path: Path, option: str) -> None:
    values = {"contrib_weight": "uniform", "attribution": "gradient", "centred": True}
    message = refusal(tmp_path, convolution_model(tmp_path), contrib=(), **{option: values.get(option, "0")})
    assert_words(message, f"--{option.replace('_', '-')}: the option is about contributions", "--contrib A,B")


@pytest.mark.parametrize("attribution", ["occlusion", "substitution"])
def test_occlusion_needs_regions(tmp_path: Path, attribution: str) -> None:
    message = refusal(tmp_path, convolution_model(tmp_path), attribution=attribution)
    assert_words(message, f"--attribution: {attribution} runs every window", "wanted --regions")


def test_centred_and_hypothetical_need_what_they_are_about(tmp_path: Path) -> None:
    path = convolution_model(tmp_path)
    assert_words(refusal(tmp_path, path, centred=True), "--centred", "wanted --regions beside it")
    message = refusal(tmp_path, path, hypothetical=tmp_path / "h", regions=("a:1-20",))
    assert_words(message, "--hypothetical", "wanted --regions and --centred beside it")


@pytest.mark.parametrize("text", ["0.3,0.3,0.3,0.3", "0.5,0.5", "1,2,-1,-1", "0.25,0.25,0.25,", "1e99,0,0,0"])
def test_frequencies_that_do_not_sum_to_1_are_refused(tmp_path: Path, text: str) -> None:
    message = refusal(tmp_path, convolution_model(tmp_path), reference=text)
    assert_words(message, "--reference: the frequencies of A, C, G, T do not sum to 1", f"found {text}", "four numbers")


@pytest.mark.parametrize("text", ["shuffle", "shuffle:", "shuffle:0", "shuffle:-1", "shuffle:2000", "shuffle:x"])
def test_a_wrong_number_of_shuffled_genomes_is_refused(tmp_path: Path, text: str) -> None:
    message = refusal(tmp_path, convolution_model(tmp_path), reference=text)
    assert_words(message, "--reference", f"found {text}", "shuffle:N with N from 1 to 1000", "20 are advised")


def test_an_unknown_reference_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, convolution_model(tmp_path), reference="frequencys")
    assert_words(message, "there is no such reference, nor a file of this name", "found frequencys", "shuffle:N")


def test_a_reference_of_other_sequences_is_refused(tmp_path: Path) -> None:
    path = convolution_model(tmp_path)
    short = write_fasta(tmp_path / "short.fa", {"a": SEQUENCES["a"][:-1], "b": SEQUENCES["b"]})
    message = refusal(tmp_path, path, DataError, reference=str(short))
    assert_words(message, "short.fa, a: the reference is not aligned", "found 399 bases; wanted 400 bases, as in g.fa")
    other = write_fasta(tmp_path / "other.fa", {"a": SEQUENCES["a"]})
    assert_words(refusal(tmp_path, path, DataError, reference=str(other)), "other.fa, b", "found no such sequence")


def test_the_genome_itself_is_no_reference(tmp_path: Path) -> None:
    path = convolution_model(tmp_path)
    same = write_fasta(tmp_path / "same.fa", SEQUENCES)
    assert_words(refusal(tmp_path, path, reference=str(same)), "the reference is the genome itself", "same.fa")


def test_the_genome_in_another_file_is_no_reference(tmp_path: Path) -> None:
    path, low = convolution_model(tmp_path), tmp_path / "low.fa"
    lines = [f">{name}\n" + re.sub("(.{1,7})", r"\1\n", text.lower()) for name, text in SEQUENCES.items()]
    low.write_text("".join([*lines, ">more\nACGT\n"]))
    assert_words(refusal(tmp_path, path, reference=str(low)), "the reference is the genome itself", "low.fa")
    two_bit = tmp_path / "same.2bit"
    with open_genome(low) as genome:
        write_twobit(genome, two_bit)
    assert_words(refusal(tmp_path, path, reference=str(two_bit)), "the reference is the genome itself", "same.2bit")


def test_a_genome_that_differs_by_one_base_is_a_reference(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", SEQUENCES)
    other = write_fasta(tmp_path / "other.fa", {**SEQUENCES, "b": SEQUENCES["b"][:-1] + "G"})
    with open_genome(genome) as opened:
        assert plan_reference(str(other), opened).kind == "genome"


def test_a_model_that_is_constant_has_nothing_to_explain(tmp_path: Path) -> None:
    path = convolution_model(tmp_path, classes=("hit",))
    message = refusal(tmp_path, path)
    assert_words(message, "--contrib: there is nothing to explain of class hit of net", "a softmax over one class")
    assert_words(message, "which is constant: 1 for every sequence", "Leave the class out of --contrib")


def test_a_profile_needs_a_target(tmp_path: Path) -> None:
    model, _ = mixed_model(tmp_path, window=40, bin_=8, stride=4, positions=4, strands="forward")
    message = refusal(tmp_path, model.path, contrib=("up",))
    assert_words(message, "output profile of mixed is a profile of 4 positions", "--profile-target sum, centre or")
    message = refusal(tmp_path, model.path, contrib=("up",), profile_target="4")
    assert_words(message, "--profile-target: the profile profile of mixed has no such position", "found 4", "0 to 3")


def test_a_dense_graph_that_is_wrong_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = DenseExplainer.run

    def wrong(*arguments: Any, **options: Any) -> ContributionSums:
        found = run(*arguments, **options)
        found.bases[None] *= 1.001
        return found

    path = convolution_model(tmp_path)
    genome = write_fasta(tmp_path / "g.fa", SEQUENCES)
    options = ScanOptions((str(path),), genome, tmp_path / "out", contrib=("hit",))
    monkeypatch.setattr("trackgen.scan.explained_trial.TRACK_BAR", 1.0)  # so that the trial lets it pass
    monkeypatch.setattr(DenseExplainer, "run", wrong)
    with pytest.raises(SelfCheckError) as caught:
        run_scan(options)
    assert caught.value.exit_status == 1
    assert_words(str(caught.value), "class hit of model net come out differently in dense mode", "net.onnx, a:")
    assert_words(str(caught.value), "of the largest contribution; wanted at most 0.0002", "`--mode window`")


def test_a_dense_graph_that_is_wrong_is_not_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial before the run sees it, and windows are explained one by one."""
    run = DenseExplainer.run

    def wrong(*arguments: Any, **options: Any) -> ContributionSums:
        found = run(*arguments, **options)
        found.bases[None] *= 1.001
        return found

    monkeypatch.setattr(DenseExplainer, "run", wrong)
    path = convolution_model(tmp_path)
    genome = write_fasta(tmp_path / "g.fa", SEQUENCES)
    run_scan(ScanOptions((str(path),), genome, tmp_path / "out", contrib=("hit",)))
    assert '"form": "windows"' in (tmp_path / "out" / "run.json").read_text()


@pytest.mark.parametrize("mode", ["auto", "window"])
def test_contributions_that_do_not_add_up_fail_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    run = WindowExplainer.run

    def wrong(*arguments: Any, **options: Any) -> ExplainedWindows:
        found = run(*arguments, **options)
        found.deltas[...] += np.float32(2e-4) * np.abs(found.deltas).max()
        return found

    monkeypatch.setattr(WindowExplainer, "run", wrong)
    genome = write_fasta(tmp_path / "g.fa", SEQUENCES)
    options = ScanOptions(
        (str(convolution_model(tmp_path)),), genome, tmp_path / "out", contrib=("hit",), mode=mode,  # type: ignore[arg-type]
    )  # fmt: skip
    with pytest.raises(SelfCheckError) as caught:
        run_scan(options)
    assert_words(
        str(caught.value), "class hit of model net do not add up", "window that begins at a:", "at most 0.0001"
    )


def test_ties_may_differ_at_few_bases_only() -> None:
    wanted = np.zeros(1000)
    found = wanted.copy()
    found[:5] = 1.0
    assert attribution_check.share_of_largest(found, wanted, 1.0) == 0.0
    found[5] = 1.0
    assert attribution_check.share_of_largest(found, wanted, 1.0) == 1.0
    shifted = np.sin(np.arange(1000.0))
    assert attribution_check.share_of_largest(np.roll(shifted, 1), shifted, 1.0) > 0.1
