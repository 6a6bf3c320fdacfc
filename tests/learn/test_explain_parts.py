"""The parts of explanations, each against numbers that can be told by hand."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pybigtools
import pytest

from tests.learn.conftest import INITIATOR, World
from tests.learn.explain_model import FREQUENCIES, SITE, WIDTH, WINDOW, pattern, tss_model
from trackgen.bigwig.writer import BigWigWriter
from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec, load_model, read_card
from trackgen.errors import DataError, ModelError, TrackgenError, UsageError
from trackgen.genome import open_genome
from trackgen.learn.datasets.motif_files import read_motifs, write_motifs
from trackgen.learn.datasets.windows import Sites, one_hot, read_windows
from trackgen.learn.explain.discovery import discover
from trackgen.learn.explain.engine import default_engine
from trackgen.learn.explain.enrichment import enrichment
from trackgen.learn.explain.filters import filter_layers, filter_matrices, positive_part
from trackgen.learn.explain.graphs import logit_model
from trackgen.learn.explain.hits import genome_hits, write_hits
from trackgen.learn.explain.logos import information, probabilities
from trackgen.learn.explain.maximisation import PENALTY, RATE, maximise, strongest_part
from trackgen.learn.explain.modisco import Pattern, Seqlets, fit_for_modisco, run_modisco
from trackgen.learn.explain.motif_table import NamedPattern
from trackgen.learn.explain.needs import require
from trackgen.learn.explain.occlusion import CENTRE, REGIONS, TATA, occlusion_table
from trackgen.learn.explain.page import Page, Picture, write_page
from trackgen.learn.explain.pictures import logo, mean_profiles, site_logos
from trackgen.learn.explain.sites import region_sites, run_sites
from trackgen.learn.explain.tensors import sequence_tensor
from trackgen.learn.explain.window_reader import WindowReader
from trackgen.progress import NullProgress
from trackgen.runtime import open_session
from trackgen.scan.sources import SignalFiles

LENGTHS = {"one": 1000, "two": 500}


def random_codes(count: int, length: int = WINDOW, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (count, length)).astype(np.uint8)


def planted(count: int, first: int) -> np.ndarray:
    """Random windows with the initiator at `first`."""
    codes = random_codes(count, seed=1)
    codes[:, first : first + WIDTH] = pattern().argmax(axis=0)
    return codes


def card_of(**fields: Any) -> Card:
    defaults: dict[str, Any] = {
        "name": "m", "window": 20, "inputs": (InputSpec("sequence", "sequence"),),
        "outputs": (OutputSpec("out", "sigmoid", (ClassSpec("hit"),), role="probability"),),
    }  # fmt: skip
    return Card(**defaults | fields)


@pytest.mark.parametrize(("layout", "bases"), [("NCL", "ACGT"), ("NLC", "AGCT")])
def test_sequences_come_out_of_a_tensor_as_they_went_in(layout: Any, bases: str) -> None:
    spec = InputSpec("sequence", "sequence", layout=layout, bases=bases, unknown=0.25)
    tensor = sequence_tensor(card_of(inputs=(spec,)))
    values = np.random.default_rng(0).random((3, 4, 20)).astype(np.float32)
    put = tensor.put(values)
    assert put.shape == ((3, 4, 20) if layout == "NCL" else (3, 20, 4))
    assert (tensor.take(put) == values).all()
    codes = random_codes(2, 20)
    codes[0, 3] = 4
    taken = tensor.take(tensor.put_codes(codes))
    assert (taken[0, :, 3] == 0.25).all()
    assert (taken[1] == one_hot(codes)[1]).all()


def test_the_sequence_is_found_beside_a_signal_in_one_tensor() -> None:
    signal = InputSpec("dnase", "signal", tensor="x")
    tensor = sequence_tensor(card_of(inputs=(signal, InputSpec("sequence", "sequence", tensor="x", bases="TGCA"))))
    assert (tensor.name, tensor.channels, tensor.total, tensor.alone) == ("x", (4, 3, 2, 1), 5, False)


def test_a_model_without_a_sequence_is_refused() -> None:
    with pytest.raises(ModelError, match="does not have one sequence input; found 0 sequence inputs; wanted one"):
        sequence_tensor(card_of(inputs=(InputSpec("dnase", "signal"),)))


def test_a_filter_matrix_counts_the_bases_under_the_strongest_activation(tmp_path: Path) -> None:
    path = tss_model(tmp_path)
    model, tensor = load_model(path), sequence_tensor(read_card(path))
    (layer,) = filter_layers(model, tensor, path)
    assert (layer.name, layer.weights.shape) == ("filters_weight", (2, 4, WIDTH))
    assert (positive_part(layer.weights)[0] == 1.5 * pattern()).all()
    codes = np.concatenate([random_codes(950), planted(50, 20)])
    found = filter_matrices(model, layer, tensor, codes)
    assert found.kept[0] == 50
    assert (found.passed[:, 0] == np.repeat([False, True], [950, 50])).all()
    assert (found.counts[0] == 50 * pattern()).all()


def test_a_model_without_a_convolution_over_the_sequence_is_refused(tmp_path: Path) -> None:
    path = tss_model(tmp_path)
    model = load_model(path)
    model.graph.node[0].op_type = "ConvTranspose"
    with pytest.raises(ModelError, match="no convolution of the model reads the sequence itself"):
        filter_layers(model, sequence_tensor(read_card(path)), path)


def test_the_logit_model_gives_what_stands_before_the_softmax(tmp_path: Path) -> None:
    path = tss_model(tmp_path)
    card = read_card(path)
    inputs = {"sequence": one_hot(planted(4, SITE - 7))}
    (probabilities_,) = open_session(path, threads=1).run(inputs)
    with logit_model(path, card, "tss") as (copy, changed):
        assert (changed.outputs[0].activation, read_card(copy)) == ("none", changed)
        (logits,) = open_session(copy, threads=1).run(inputs)
    exponentials = np.exp(logits)
    # float32 on both sides
    assert np.allclose(exponentials / exponentials.sum(axis=1, keepdims=True), probabilities_, rtol=0, atol=1e-6)
    assert not copy.exists()


def test_a_card_with_another_activation_than_the_graph_is_refused(tmp_path: Path) -> None:
    path = tss_model(tmp_path)
    card = read_card(path)
    wrong = dataclasses.replace(card, outputs=(dataclasses.replace(card.outputs[0], activation="sigmoid"),))
    with pytest.raises(ModelError, match=r"output tss.*found Softmax; wanted sigmoid"), logit_model(path, wrong, "tss"):
        pass


def test_information_is_two_bits_for_a_sure_base_and_none_for_the_background() -> None:
    background = np.full(4, 0.25)
    matrix = np.array([[1.0, 0.25], [0, 0.25], [0, 0.25], [0, 0.25]])
    assert information(matrix, background).tolist() == [[2, 0], [0, 0], [0, 0], [0, 0]]
    assert probabilities(np.zeros((4, 1)), background)[:, 0].tolist() == [0.25] * 4


def test_occlusion_regions_are_those_of_table_10() -> None:
    inside = [np.flatnonzero(region.mask(200, 99)) - 99 for region in REGIONS]
    assert [(int(places[0]), int(places[-1])) for places in inside] == [(-99, 100), (-35, -20), (-10, 10), (-35, 10)]
    assert (TATA.text, CENTRE.text) == ("TATA region (-35 to -20)", "centre (-10 to +10)")


def test_occlusion_blanks_all_but_the_safe_region() -> None:
    seen = []

    def predict(values: np.ndarray) -> np.ndarray:
        seen.append(values)
        hit = values[:, 0, 99]
        return np.stack([1 - hit, hit], axis=1)

    codes = np.full((4, 200), 3, np.uint8)
    codes[:2, 99] = 0
    labels, fill = np.array([1, 1, 0, 0]), np.array([0.4, 0.1, 0.2, 0.3], np.float32)
    table = occlusion_table(
        predict, one_hot(codes), labels, ["no", "yes"], site=99, fill=fill, progress=NullProgress()
    )  # fmt: skip
    assert [row["yes"]["auroc"] for row in table.values()] == [1.0, 0.5, 1.0, 1.0]
    assert (seen[1][:, :, 99] == fill).all()
    assert (seen[1][:, :, 70] == [0, 0, 0, 1]).all()


class Linear:
    """An explainer whose logit is a weighted sum of its input, and silent where `silent`."""

    def __init__(self, weights: np.ndarray, silent: float = -np.inf) -> None:
        self.weights, self.silent = weights, silent

    def run(self, inputs: Any, classes: np.ndarray) -> Any:
        values = inputs["sequence"]
        awake = values.max(axis=(1, 2), keepdims=True) > self.silent
        return SimpleNamespace(multipliers={"sequence": np.where(awake, self.weights[classes], 0).astype(np.float32)})


def test_activation_maximisation_reaches_its_fixed_point() -> None:
    weights = np.random.default_rng(0).normal(0, 1, (2, 4, 20)).astype(np.float32)
    tensor, background = sequence_tensor(card_of()), np.full(4, 0.25)
    found = maximise(Linear(weights), tensor, 20, [0, 1], background, NullProgress(), steps=3)
    fade = 1 - 2 * RATE * PENALTY
    expected = 0.25 * fade**3 + RATE * weights * (1 + fade + fade**2)
    assert found.starts == 0
    # three additions in float32
    assert np.allclose(found.values, expected, rtol=0, atol=1e-6)


def test_activation_maximisation_leaves_a_start_where_the_net_is_silent() -> None:
    weights = np.random.default_rng(0).normal(0, 1, (1, 4, 20)).astype(np.float32)
    tensor, background = sequence_tensor(card_of()), np.full(4, 0.25)
    found = maximise(Linear(weights, silent=0.5), tensor, 20, [0], background, NullProgress(), steps=2)
    assert found.starts > 0
    # what the ascent added, the random starts taken away again
    assert np.allclose(found.values, RATE * weights * (2 - 2 * RATE * PENALTY), rtol=0, atol=1e-6)


def test_only_the_strongest_part_of_an_input_is_drawn() -> None:
    kept = strongest_part(np.arange(-50, 50, dtype=np.float32).reshape(4, 25))
    assert np.count_nonzero(kept) == 15
    assert kept.min() == 0


def test_gradients_of_the_engine_are_those_of_the_logit(tmp_path: Path) -> None:
    path = tss_model(tmp_path)
    card = read_card(path)
    values = one_hot(planted(2, SITE - 7))
    with logit_model(path, card, "tss") as (copy, changed):
        explainer = default_engine().open(copy, changed, "tss", attribution="gradient")
        gradient = explainer.run({"sequence": values}, np.array([1, 2])).multipliers["sequence"]
    expected = np.zeros_like(values)
    for row, weight in enumerate((0.5, 0.4)):
        expected[row, :, SITE - 7 : SITE - 7 + WIDTH] = weight * (2 * pattern() - 0.5)
    assert np.allclose(gradient, expected, rtol=0, atol=1e-6)


def test_a_motif_is_enriched_where_it_was_planted() -> None:
    background = np.array(FREQUENCIES)
    found = enrichment(pattern().astype(np.float64), planted(100, 20), random_codes(400), background)
    assert (found.auroc, found.share) == (1.0, 1.0)
    assert set(found.places.tolist()) == {20}
    nothing = enrichment(np.full((4, 8), 0.25), planted(100, 20), random_codes(400), background)
    assert nothing.auroc == pytest.approx(0.5, abs=0.2)


def test_discovery_finds_the_planted_motif_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = discover(planted(200, 20), random_codes(1000), NullProgress())
    assert found.method == "the most enriched 7-mer, refined to a matrix"
    first = "".join("ACGT"[base] for base in found.motifs["motif 1"].argmax(axis=0))
    complement = first[::-1].translate(str.maketrans("ACGT", "TGCA"))
    assert any(INITIATOR[4:11] in text or text[3:10] in INITIATOR for text in (first, complement))


STREME = """#!/bin/sh
while [ "$1" != "--oc" ]; do shift; done
mkdir -p "$2"
printf 'MEME version 5.5\\n\\nALPHABET= ACGT\\n\\nMOTIF 1-TATA STREME-1\\n' > "$2/streme.txt"
printf 'letter-probability matrix: alength= 4 w= 2 nsites= 9 E= 1\\n 0 0 0 1\\n 1 0 0 0\\n' >> "$2/streme.txt"
"""


def test_discovery_takes_streme_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "streme").write_text(STREME)
    (tmp_path / "streme").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = discover(planted(5, 20), random_codes(5), NullProgress())
    assert found.method == "STREME"
    assert found.motifs["1-TATA STREME-1"].tolist() == [[0, 1], [0, 0], [0, 0], [1, 0]]
    (tmp_path / "streme").write_text("#!/bin/sh\necho 'no good' >&2\nexit 3\n")
    with pytest.raises(TrackgenError, match="STREME failed; found no good"):
        discover(planted(5, 20), random_codes(5), NullProgress())


def test_motifs_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_motifs(tmp_path / "m.meme", {"my motif": np.array([[0.5, 1], [0.5, 0], [0, 0], [0, 0]])})
    database = read_motifs(tmp_path / "m.meme")
    assert database.motifs["my_motif"].tolist() == [[0.5, 1], [0.5, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the motif file does not exist"),
        (">seq\nACGT\n", "the file holds no motif; found '>seq'; wanted a MEME file"),
        (
            "MEME version 4\n\nMOTIF a\nletter-probability matrix: w= 2\n1 0 0\n0 1 0 0\n",
            "the motif file can't be read",
        ),
        ("MEME version 4\n\nMOTIF a\nletter-probability matrix: w= 1\n0 0 0 0\n", "motif a: a motif's rows are not"),
    ],
)
def test_a_bad_motif_file_is_refused_by_name(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "db.meme"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=f"db.meme.*{message}"):
        read_motifs(path)


def test_a_missing_library_is_named_with_the_extra() -> None:
    require(("numpy",))
    with pytest.raises(UsageError, match=r"needs no_such_library, .*pip install 'trackgen\[explain\]'"):
        require(("no_such_library",))


def test_silent_positions_and_unknown_bases_are_made_fit_for_modisco() -> None:
    codes = random_codes(3, 60)
    codes[0, 5] = 4
    hypothetical = np.random.default_rng(0).normal(0, 1, (3, 4, 60)).astype(np.float32)
    hypothetical[1, :, 10:20] = 0
    values, scores = fit_for_modisco(one_hot(codes), hypothetical)
    assert (values.sum(axis=1) == 1).all()
    assert scores.any(axis=1).all()
    kept = np.ones((3, 60), dtype=bool)
    kept[0, 5] = kept[1, 10:20] = False
    assert (np.moveaxis(scores, 1, 2)[kept] == np.moveaxis(hypothetical, 1, 2)[kept]).all()
    assert np.abs(np.moveaxis(scores, 1, 2)[~kept]).max() < 1e-4


def test_too_short_windows_are_refused_before_modisco_runs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too short for tfmodisco; found 40 bp; wanted at least 50 bp"):
        run_modisco(tmp_path / "a", tmp_path / "b", tmp_path / "c", window=40, largest=10)


@pytest.mark.slow
def test_modiscos_own_words_are_passed_on_when_it_fails(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", np.zeros((2, 4, 60), np.float32))
    with pytest.raises(TrackgenError, match=r"tfmodisco-lite failed; found .+Give more or other regions"):
        run_modisco(tmp_path / "a.npz", tmp_path / "a.npz", tmp_path / "c", window=60, largest=10)


def some_pattern(seqlets: list[tuple[int, int, bool]], width: int = 12) -> NamedPattern:
    """A pattern of seqlets (window, start, reverse) whose core is columns 2 to 8."""
    window, start, reverse = (np.array(column) for column in zip(*seqlets, strict=True))
    contribution = np.arange(len(seqlets), dtype=np.float64) + 1
    return NamedPattern(
        Pattern(
            "positive_0", np.full((4, width), 0.25), np.ones((4, width)),
            Seqlets(window, start, start + width, reverse.astype(bool), contribution), (2, 8),
        ),
        [],
    )  # fmt: skip


def test_hits_stand_where_the_core_does_on_either_strand(tmp_path: Path) -> None:
    card = card_of()
    position, minus = np.array([100, 100, 5]), np.array([False, True, False])
    sites = Sites(tuple(LENGTHS), np.zeros(3, np.int32), position, minus)
    # Windows: [91, 111) on plus, [90, 110) read from the right on minus, [-4, 16) on plus.
    found = genome_hits(
        [some_pattern([(0, 3, False), (1, 3, False), (0, 3, True), (2, 0, False)])], card, sites, LENGTHS
    )
    assert [(hit.start, hit.end, hit.minus) for hit in found] == [(96, 102, False), (98, 104, True), (99, 105, True)]
    files = write_hits(tmp_path / "m.hit.motifs", found, [some_pattern([(0, 3, False)])], card, "hit", LENGTHS)
    assert [path.name for path in files] == ["m.hit.motifs.bed", "m.hit.motifs.bb", "m.hit.motifs.json"]
    assert files[0].read_text().splitlines()[0] == "one\t96\t102\tpositive_0\t333\t+\t96\t102\t200,30,30\t1"
    reader = pybigtools.open(str(files[1]))
    assert reader.chroms() == {"one": 1000}
    assert [record[:2] for record in reader.records("one")] == [(96, 102), (98, 104), (99, 105)]
    described = json.loads(files[2].read_text())
    assert (described["file"], described["type"], described["hits"]) == ("m.hit.motifs.bb", "bigBed 9 +", 3)
    assert [pattern["color"] for pattern in described["patterns"]] == ["200,30,30"]


def test_a_hit_that_overlapping_windows_share_is_there_once(tmp_path: Path) -> None:
    sites = Sites(tuple(LENGTHS), np.zeros(2, np.int32), np.array([100, 101]), np.zeros(2, bool))
    found = genome_hits([some_pattern([(0, 3, False), (1, 2, False)])], card_of(), sites, LENGTHS)
    assert [(hit.start, hit.contribution) for hit in found] == [(96, 2.0)]
    assert [path.suffix for path in write_hits(tmp_path / "x", [], [], card_of(), "hit", LENGTHS)] == [".bed"]


def write_run(folder: Path, tracks: dict[str, np.ndarray], **more: str) -> Path:
    """A finished scan, as far as this package reads it."""
    entries = []
    for strand, values in tracks.items():
        name = f"m.hit.{strand}.bw"
        with BigWigWriter(folder / name, LENGTHS, stride=1) as writer:
            writer.add("one", 0, values.astype(np.float32), np.zeros((0, 2), np.int64))
        entries.append({"file": name, "model": "m", "class": "hit", "strand": strand, "role": "probability"} | more)
    (folder / "run.json").write_text(json.dumps({"tracks": entries}))
    return folder


def test_the_highest_places_of_a_scan_are_explained(tmp_path: Path) -> None:
    plus, minus = np.zeros(1000), np.zeros(1000)
    plus[[300, 305, 700]] = 0.5, 0.6, 0.8
    minus[400] = 0.7
    run = write_run(tmp_path, {"plus": plus, "minus": minus})
    sites = run_sites(run, card_of(strands="both"), "hit", LENGTHS, 3)
    assert sites.position.tolist() == [700, 400, 305]
    assert sites.minus.tolist() == [False, True, False]


def test_the_bin_of_a_wide_model_begins_before_the_value_that_it_wrote(tmp_path: Path) -> None:
    values = np.zeros(1000)
    values[375:425] = 0.9  # the window whose bin is [300, 500), at a stride of 50
    run = write_run(tmp_path, {"plus": values})
    sites = run_sites(run, card_of(window=300, bin=200, stride=50), "hit", LENGTHS, 1)
    assert sites.position.tolist() == [300]


def test_a_folder_without_the_tracks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no run\.json in the folder"):
        run_sites(tmp_path, card_of(), "hit", LENGTHS, 3)
    run = write_run(tmp_path, {"plus": np.zeros(1000)}, role="contribution")
    with pytest.raises(UsageError, match="no track of this class; found m, hit"):
        run_sites(run, card_of(), "hit", LENGTHS, 3)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataError, match="the file is no description of a scan"):
        run_sites(tmp_path, card_of(), "hit", LENGTHS, 3)


def test_regions_are_taken_by_score_at_their_centres(tmp_path: Path) -> None:
    path = tmp_path / "r.bed"
    path.write_text("one\t100\t110\ta\t5\t-\ntwo\t200\t300\tb\t9\t+\none\t10\t20\tc\t1\t+\n")
    sites = region_sites(path, card_of(strands="both"), LENGTHS, 2)
    assert (sites.position.tolist(), sites.minus.tolist()) == ([250, 105], [False, True])
    wide = region_sites(path, card_of(bin=4, window=20), LENGTHS, 1)
    assert (wide.position.tolist(), wide.minus.tolist()) == ([248], [False])
    path.write_text("")
    with pytest.raises(DataError, match=r"r\.bed: there is no region"):
        region_sites(path, card_of(), LENGTHS, 2)


def test_windows_are_read_as_training_reads_them(world: World) -> None:
    with open_genome(world.genome) as genome:
        sites = Sites(
            tuple(genome.lengths),
            np.array([0, 1, 2], np.int32),
            np.array([3, 500, 19_995]),
            np.array([False, True, True]),
        )
        with SignalFiles(()) as signals:
            read = WindowReader(card_of(window=61, bin=3), genome, signals).read(sites)
        assert (read["sequence"] == one_hot(read_windows(genome, sites, 61, 3))).all()


def test_a_page_holds_its_pictures_and_no_markup_of_others(tmp_path: Path) -> None:
    page = Page("<b>title", "lead & all")
    page.section("One")
    page.text("a < b")
    page.table(["x", "n"], [[logo(np.eye(4), 'an "A"'), 1234]])
    page.picture(Picture(b"png", "words"), "caption")
    write_page(page, tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text()
    assert "&lt;b&gt;title" in text
    assert "a &lt; b" in text
    assert "an &quot;A&quot;" in text
    assert '<td class="number">1,234</td>' in text
    assert text.count("data:image/png;base64,") == 2
    assert "http" not in text
    with pytest.raises(UsageError, match="the report can't be written"):
        write_page(page, tmp_path / "no" / "p.html")


def test_the_same_figures_give_the_same_picture() -> None:
    values = np.random.default_rng(0).normal(0, 1, 60)
    first, second = (mean_profiles({"a": values, "b": -values}, 29, "w").png for _ in range(2))
    assert first == second
    assert site_logos({"a": np.zeros((4, 60))}, 29, "score", "w").png[:4] == b"\x89PNG"
