"""Options of ``trackgen train binding`` that ten Dijke 2017 had: weak peaks, regions, cell types, nets, starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from torch import nn

from tests.learn.commands import run
from trackgen.bigwig import BigWigWriter
from trackgen.card import read_card
from trackgen.errors import DataError, TrackgenError, UsageError
from trackgen.genome import Genome, open_genome
from trackgen.learn.architectures import ARCHITECTURES, architecture
from trackgen.learn.binding_options import BindingOptions
from trackgen.learn.binding_report import manner
from trackgen.learn.binding_source import Source, load_data, load_source, open_track, region_classes
from trackgen.learn.binding_training import (
    BindingTraining,
    Start,
    first_convolution,
    start_from_motif,
    starts_from_motifs,
    train_net,
)
from trackgen.learn.datasets.binding import PARTS
from trackgen.learn.datasets.motif_files import read_motifs
from trackgen.learn.motif import Motif
from trackgen.progress import NullProgress

LENGTH, SITE = 6_000, "CGGGTAAC"
SITES = range(900, LENGTH - 500, 600)
NAMES = ("one", "two", "three")
MOTIF = "MEME version 4\n\nALPHABET= ACGT\n\nMOTIF Toy\nletter-probability matrix: alength= 4 w= 8\n" + "".join(
    "".join(f"{0.91 if base == letter else 0.03} " for base in "ACGT") + "\n" for letter in SITE
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sequences with a bound and open site every 600 bp, and weaker peaks 150 bp behind each."""
    folder = tmp_path_factory.mktemp("options")
    random = np.random.default_rng(8)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)
    text, strong, weak, regions = "", "", "", ""
    with (
        BigWigWriter(folder / "atac.bw", dict.fromkeys(NAMES, LENGTH), stride=1) as atac,
        BigWigWriter(folder / "chip.bw", dict.fromkeys(NAMES, LENGTH), stride=1) as chip,
        BigWigWriter(folder / "flat.bw", dict.fromkeys(NAMES, LENGTH), stride=1) as flat,
    ):
        gaps = np.zeros((0, 2), dtype=np.int64)
        for name in NAMES:
            bases = letters[random.integers(0, 4, LENGTH)]
            open_, fold = random.random(LENGTH).astype(np.float32), random.random(LENGTH).astype(np.float32)
            for site in SITES:
                bases[site - 4 : site + 4] = np.frombuffer(SITE.encode(), dtype=np.uint8)
                open_[site - 150 : site + 150] += 8
                fold[site - 100 : site + 100] += 5
                strong += f"{name}\t{site}\t{site + 1}\n"
                weak += f"{name}\t{site + 100}\t{site + 300}\n"
                regions += f"{name}\t{site - 150}\t{site + 150}\n"
            atac.add(name, 0, open_, gaps)
            chip.add(name, 0, fold, gaps)
            flat.add(name, 0, np.full(LENGTH, 3, np.float32), gaps)
            text += f">{name}\n{bases.tobytes().decode()}\n"
    files = {
        "genome.fa": text, "peaks.bed": strong, "relaxed.bed": weak, "open.bed": regions, "toy.meme": MOTIF,
        "far.bed": "".join(f"{name}\t5700\t5900\n" for name in NAMES),
        "elsewhere.bed": "one\t5900\t6100\n", "human.bed": "chr1\t10\t200\n",
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def train(world: Path, output: Path, *more: str | float | Path, signal: bool = False) -> Result:
    beside = ("--signal", f"atac={world / 'atac.bw'}") if signal else ()
    return run(
        "train", "binding", "--genome", world / "genome.fa", "--peaks", world / "peaks.bed", "-o", output, *beside,
        "--validation", "two", "--test", "three", "--epochs", "1", "--batch-size", "32", "-t", "1", "-q", *more,
    )  # fmt: skip


def options(world: Path, **more: Any) -> BindingOptions:
    return BindingOptions(world / "genome.fa", world / "peaks.bed", world / "out", ("two",), ("three",), **more)


@pytest.fixture(scope="module")
def opened(world: Path) -> Iterator[Genome]:
    with open_genome(world / "genome.fa") as genome:
        yield genome


@pytest.fixture(scope="module")
def thesis(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the options of the thesis."""
    output = tmp_path_factory.mktemp("thesis") / "toy"
    cell = f"K562={world / 'peaks.bed'},,{world / 'atac.bw'},{world / 'open.bed'}"
    result = train(
        world, output, "--relaxed", world / "relaxed.bed", "--ambiguous-as", "unbound", "--regions", world / "open.bed",
        "--others", 30, "--cell", cell, "--architecture", "binding-plain", signal=True,
    )  # fmt: skip
    assert result.exit_code == 0, f"{result.output} {result.exception}"
    return output


def test_bins_that_relaxed_peaks_touch_are_ambiguous_and_may_count_as_unbound(world: Path, opened: Genome) -> None:
    strong = load_data(options(world), opened)
    out = load_data(options(world, relaxed=world / "relaxed.bed"), opened)
    unbound = load_data(options(world, relaxed=world / "relaxed.bed", ambiguous_as="unbound"), opened)
    for part in PARTS:
        plain, left, as_unbound = (data.counts(part) for data in (strong, out, unbound))
        assert plain["bound"] == left["bound"] == as_unbound["bound"] > 0
        assert left["unbound"] < plain["unbound"] < as_unbound["unbound"]
        assert as_unbound["ambiguous"] == 0
        assert sum(as_unbound.values()) == sum(left.values()) == sum(plain.values())
    with pytest.raises(UsageError, match="unknown use of ambiguous bins; found bound; wanted left-out or unbound"):
        load_data(options(world, ambiguous_as="bound"), opened)


def test_the_report_tells_what_weak_peaks_regions_and_cell_types_were(thesis: Path, world: Path) -> None:
    figures = json.loads((thesis / "report" / "metrics.json").read_text())
    data, test = figures["data"], figures["models"]["net"]["test"]
    assert data["peaks"] == {"strong": 24, "weak": 24}
    # ambiguous bins are judged, too
    assert test["bins"] == sum(data["bins"]["test"].values()) == (LENGTH - 200) // 50 + 1
    assert {"net", "sequence"} <= set(figures["models"])
    one, two = data["regions"]
    # a peak of 200 bp covers half of 5 bins or more; 300 bp touch 9 or 10
    assert one == {"cell": "", "others": 30, "bound": 40, "unbound": one["unbound"]}
    assert 30 + 8 * 4 <= one["unbound"] <= 30 + 8 * 5
    assert two == one | {"cell": "K562"}
    text = " ".join((thesis / "README.md").read_text().split())
    for sentence in (
        "Relaxed peaks (24 of them) are weak.",
        "Ambiguous bins count as unbound, in training and in all figures, as in ten Dijke 2017",
        f"Training bins: 40 bound and {one['unbound']} unbound, 30 of them off the signal's peaks; K562: 40 bound",
        "An epoch has every bin of the training part that overlaps a peak of the signal, and a fixed draw of others "
        "(30, 30) of 2 cell types together, once, in an order and on strands drawn anew.",
        "--relaxed relaxed.bed", "--ambiguous-as unbound", "--regions open.bed", "--others 30",
        "--cell K562=peaks.bed,,atac.bw,open.bed", architecture("binding-plain").summary,
    ):  # fmt: skip
        assert sentence in text
    assert str(world) not in text + json.dumps(figures)
    training = read_card(thesis / "model.onnx").training
    assert (training["ambiguous_as"], training["architecture"]) == ("unbound", "binding-plain")
    assert training["regions"] == data["regions"]


def test_regions_come_once_an_epoch_with_their_signal(world: Path, opened: Genome) -> None:
    more = {"relaxed": world / "relaxed.bed", "regions": world / "open.bed", "others": 30}
    with ExitStack() as stack:
        chosen = options(world, signal=("atac", world / "atac.bw"), **more)
        source = load_source(chosen, opened, stack)
        assert source.regions is not None
        wanted = region_classes(source.regions.train[0])
        for batches, counts in (
            (source.training(1000, 16, 1), wanted),
            (source.validation(1000, 1), region_classes(source.regions.validation)),
        ):
            found = list(batches.batches(0))
            labels = np.concatenate([targets for _, targets in found])[:, 0]
            assert np.bincount(labels.astype(int)).tolist() == counts.tolist()
            assert {tuple(len(values) for values in inputs) for inputs, _ in found[:1]} == {(len(found[0][1]),) * 2}
        assert source.classes().tolist() == wanted.tolist()
        # bins that relaxed peaks touch are no regions
        bold = load_source(replace(chosen, ambiguous_as="unbound"), opened, stack)
        assert bold.classes()[1] == wanted[1]
        assert bold.classes()[0] > wanted[0]


def test_cell_types_have_a_signal_all_or_none(world: Path, tmp_path: Path) -> None:
    cell = f"H1={world / 'peaks.bed'}"
    result = train(world, tmp_path / "no", "--regions", world / "open.bed", "--cell", cell, signal=True)
    assert isinstance(result.exception, UsageError)
    assert "the cell type H1 has no signal; wanted a signal of every cell type, or of none" in str(result.exception)
    assert result.exception.exit_status == 2


def test_every_net_that_reads_a_signal_has_one_that_does_not() -> None:
    plans = {name: plan for name, plan in ARCHITECTURES.items() if plan.task == "binding"}
    reading = [plan for plan in plans.values() if plan.blind]
    assert {plan.blind for plan in reading} == {name for name, plan in plans.items() if not plan.blind}
    for plan in reading:
        net, blind = plan.build(), plans[plan.blind].build()
        assert first_convolution(net).weight.shape == first_convolution(blind).weight.shape
        assert blind.eval()(torch.zeros(2, 4, plan.window)).shape == (2, 1)


def test_a_found_motif_stands_in_the_middle_of_wider_filters() -> None:
    table = np.random.default_rng(0).normal(size=(15, 4)).astype(np.float32)
    net = architecture("binding-plain").build()
    start_from_motif(net, Motif(table.astype(np.float64)))
    weight = first_convolution(net).weight.detach().numpy()
    np.testing.assert_array_equal(weight[0, :, 2:17], table.T)
    np.testing.assert_array_equal(weight[1, :, 2:17], table.T[::-1, ::-1])
    assert not weight[:16, :, [0, 1, 17, 18, 19]].any()
    deep = architecture("binding-deep").build()
    drawn = first_convolution(deep).weight.detach().clone()
    start_from_motif(deep, Motif(table.astype(np.float64)))
    assert torch.equal(first_convolution(deep).weight, drawn)
    assert not starts_from_motifs(deep)


def trained(source: Source, folder: Path, start: Start, epochs: int, *, resume: bool = False) -> nn.Module:
    folder.mkdir(exist_ok=True)
    settings = BindingTraining(folder, epochs, 9, 32, 1e-3, 1, "cpu", resume=resume, start=start)
    plan = architecture("binding-sequence")
    return train_net(source, plan, Motif(np.zeros((15, 4))), settings, NullProgress())[0]


def same(one: nn.Module, two: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


@pytest.mark.parametrize("regions", [False, True])
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(
    world: Path, opened: Genome, tmp_path: Path, *, regions: bool
) -> None:
    more = {"regions": world / "open.bed", "others": 30} if regions else {}
    with ExitStack() as stack:
        source = load_source(options(world, **more), opened, stack)
        start = Start(signal=open_track(world / "chip.bw", "chip", opened, stack), epochs=1)
        whole = trained(source, tmp_path / "whole", start, 2)
        trained(source, tmp_path / "parts", start, 1)
        assert same(whole, trained(source, tmp_path / "parts", start, 2, resume=True))
        (tmp_path / "parts" / "checkpoint.pt").unlink()  # stopped just behind the signal
        assert same(whole, trained(source, tmp_path / "parts", start, 2, resume=True))
        assert not same(whole, trained(source, tmp_path / "plain", Start(), 2))


def test_known_motifs_and_a_signal_are_starts_that_the_report_tells(world: Path, tmp_path: Path) -> None:
    result = train(
        world, tmp_path / "out", "--motifs", world / "toy.meme", "--motif", "toy", "--pretrain", world / "chip.bw",
        "--pretrain-epochs", 2,
    )  # fmt: skip
    assert result.exit_code == 0, f"{result.output} {result.exception}"
    start = json.loads((tmp_path / "out" / "report" / "metrics.json").read_text())["start"]
    assert (start["filters"], start["motifs"], len(start["signal"]["history"])) == ("known", ["Toy"], 2)
    text = " ".join((tmp_path / "out" / "README.md").read_text().split())
    assert "Filters start from known motifs (Toy) on either strand" in text
    assert (
        "the net learned a ChIP signal, by regression on the mean of log(1 + value) in each bin, for 2 epochs" in text
    )
    assert "--pretrain chip.bw" in text


def test_filters_hold_the_known_motifs_when_training_begins(world: Path, opened: Genome, tmp_path: Path) -> None:
    with ExitStack() as stack:
        source = load_source(options(world), opened, stack)
        motifs = tuple(read_motifs(world / "toy.meme").motifs.values())
        net = trained(source, tmp_path / "none", Start(motifs), 0)
    weight = first_convolution(net).weight
    assert "".join("ACGT"[int(base)] for base in weight[0].argmax(dim=0)[3:11]) == SITE
    assert torch.equal(weight[1], weight[0].flip(0, 1))


def test_the_words_of_a_default_run_have_not_changed() -> None:
    figures = {"data": {}, "start": {"filters": "found"}}
    assert manner(figures, architecture("binding-thesis").manner) == (
        "Every epoch draws its bins, on a grid of 10 bp, and their strands anew. Half of the filters start from the "
        "motif found in the training peaks, on either strand; all else has a Xavier start. Weights are averaged over "
        "steps (.99)."
    )


Words = Callable[[Path], tuple[str | float | Path, ...]]
REFUSALS: dict[str, tuple[Words, type[TrackgenError], str]] = {
    "relaxed peaks of another assembly": (
        lambda w: ("--relaxed", w / "elsewhere.bed"), DataError,
        "elsewhere.bed, line 1: the interval ends beyond its sequence; found one:5900-6100",
    ),
    "relaxed peaks of another genome": (
        lambda w: ("--relaxed", w / "human.bed"), DataError, "human.bed",
    ),
    "regions without a bound bin": (
        lambda w: ("--regions", w / "far.bed", "--others", 5), DataError,
        "far.bed, train part: no region is bound; found 11 regions",
    ),
    "an unknown net": (
        lambda w: ("--architecture", "binding-wide"), UsageError,
        "unknown architecture; found binding-wide; wanted binding-thesis, binding-plain, binding-deep, ",
    ),
    "a net that reads a signal": (
        lambda w: ("--architecture", "binding-deep"), UsageError,
        "the net does not fit the data; found binding-deep without a signal; wanted binding-sequence, ",
    ),
    "a signal of one value": (
        lambda w: ("--pretrain", w / "flat.bw"), DataError,
        "flat.bw: the signal to learn first says nothing of the training bins; found the value 3 over all of ",
    ),
    "a signal that is none": (
        lambda w: ("--pretrain", w / "toy.meme"), DataError, "toy.meme",
    ),
    "no such motif": (
        lambda w: ("--motifs", w / "toy.meme", "--motif", "CTCF"), DataError,
        "toy.meme: no motif has this name; found CTCF",
    ),
    "motifs in narrow filters": (
        lambda w: ("--motifs", w / "toy.meme", "--architecture", "binding-deep-sequence"), UsageError,
        "the net's first filters are too narrow for a motif; found binding-deep-sequence with a width of 3 bp",
    ),
    "others without regions": (lambda w: ("--others", 5), UsageError, "--others needs --regions"),
    "a cell type without regions": (
        lambda w: ("--cell", f"H1={w / 'peaks.bed'}"), UsageError, "--cell needs --regions. Give --regions FILE too",
    ),
    "a motif without a file": (lambda w: ("--motif", "Toy"), UsageError, "--motif needs --motifs"),
    "epochs of nothing": (lambda w: ("--pretrain-epochs", 2), UsageError, "--pretrain-epochs needs --pretrain"),
    "half precision on a CPU": (lambda w: ("--precision", "mixed"), UsageError, "mixed precision runs on CUDA only"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_bad_options_are_refused_and_leave_no_folder(case: str, world: Path, tmp_path: Path) -> None:
    words, kind, message = REFUSALS[case]
    result = train(world, tmp_path / "out", *words(world))
    assert isinstance(result.exception, kind), f"{result.output} {result.exception}"
    assert message in str(result.exception)
    assert result.exception.exit_status == {DataError: 3, UsageError: 2}[kind]
    assert not (tmp_path / "out").exists()


def test_a_cell_type_that_cannot_be_read_is_refused(world: Path, tmp_path: Path) -> None:
    for text in ("H1", "=peaks.bed", "H1=", "H1=a,b,c,d,e"):
        result = train(world, tmp_path / "out", "--cell", text)
        assert result.exit_code == 2
        assert "is not NAME=PEAKS[,RELAXED[,SIGNAL[,REGIONS]]]" in result.output
