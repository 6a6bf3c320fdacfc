"""Nets and linear models: shapes, and values along a genome equal to values of single windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from trackgen.errors import UsageError
from trackgen.genome import Genome
from trackgen.learn.architectures import ARCHITECTURES, architecture
from trackgen.learn.datasets.windows import Sites, one_hot, read_windows
from trackgen.learn.every_base import NetScorer, score_sequences
from trackgen.learn.kmer import fit_kmer_model, fit_positional_model
from trackgen.progress import NullProgress

Windows = tuple[np.ndarray, np.ndarray]
TSS_NETS = [name for name, plan in ARCHITECTURES.items() if plan.task == "tss"]


def labelled(number: int, seed: int) -> Windows:
    """Windows of 60 bases, some unknown; class 1 has ACGT in the middle, class 2 is rich in A."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, number)
    codes = random.choice(5, (number, 60), p=(0.24, 0.24, 0.24, 0.24, 0.04)).astype(np.uint8)
    codes[labels == 1, 28:32] = (0, 1, 2, 3)
    rich = (labels == 2)[:, None] & (random.random(codes.shape) < 0.3)
    codes[rich] = 0
    return codes, labels


@pytest.mark.parametrize("fit_model", [fit_kmer_model, fit_positional_model])
def test_linear_models_learn_and_score_along_a_genome_as_on_windows(fit_model: object) -> None:
    train, validation = labelled(600, 1), labelled(300, 2)
    model = fit_model(train, validation)  # type: ignore[operator]
    logits = model.logits(validation[0])
    assert (logits.argmax(axis=1) == validation[1]).mean() > 0.6
    stretch = labelled(5, 3)[0].ravel()
    windows = np.lib.stride_tricks.sliding_window_view(stretch, 60)
    np.testing.assert_allclose(model.along(stretch), model.logits(windows), atol=1e-5)


@pytest.mark.parametrize("name", TSS_NETS)
def test_every_net_of_start_sites_maps_windows_to_three_logits_whatever_the_batch(name: str) -> None:
    plan = architecture(name)
    torch.manual_seed(1)
    net = plan.build().eval()
    codes = np.random.default_rng(0).integers(0, 5, (9, plan.window)).astype(np.uint8)
    with torch.no_grad():
        together = net(torch.from_numpy(one_hot(codes)))
        alone = torch.cat([net(torch.from_numpy(one_hot(codes[i : i + 1]))) for i in range(9)])
    assert together.shape == (9, 3)
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)


def test_the_thesis_net_has_the_layers_of_its_table() -> None:
    net = architecture("tss-thesis").build()
    assert sum(value.numel() for value in net.parameters()) == (40 * 16 + 16) + (752 * 128 + 128) + (128 * 3 + 3)


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown architecture; found tss-best; wanted tss-thesis"):
        architecture("tss-best")


@pytest.mark.parametrize("name", TSS_NETS)
def test_every_base_has_the_value_of_its_own_window_on_both_strands(genome: Genome, name: str) -> None:
    plan = architecture(name)
    torch.manual_seed(1)
    net = plan.build().eval()
    scorer = NetScorer(net, plan.window, batch_size=700)
    scores = score_sequences(scorer, genome, ["one"], NullProgress(), piece=3_000)
    assert [(entry.name, entry.minus) for entry in scores] == [("one", False), ("one", True)]
    positions = np.array([0, 1, 50, 300, 2_999, 3_000, 19_999])
    for entry in scores:
        assert entry.logits.shape == (20_000, 3)
        minus = np.full(len(positions), entry.minus)
        sites = Sites(genome.names, np.zeros(len(positions), dtype=np.int32), positions, minus)
        with torch.no_grad():
            wanted = net(torch.from_numpy(one_hot(read_windows(genome, sites, plan.window)))).numpy()
        # float32 sums in another order
        np.testing.assert_allclose(entry.logits[positions], wanted, atol=1e-5)
