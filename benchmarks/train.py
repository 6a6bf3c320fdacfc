"""Training time of 500,000 sequences, Zeng 2016's Table 2: trackgen's loop against a bare PyTorch loop of the same net.

    python benchmarks/train.py [NET ...] [--steps 100] [--rounds 5]

Batches of 100 sequences of 101 bp, AdaDelta, one thread. The bare loop is what one writes by hand: the net's layers in
an nn.Sequential, all sequences one-hot in memory, shuffled by an index, and no validation, checkpoint or record. What
trackgen does beside it is in its time: drawing the order, one-hot of codes batch by batch, and validation on 100
sequences after `--steps` steps. Both take turns; each time is the processor time of the best round, since other
programs disturb only by making a round longer, times 5,000 steps.

Prints a table in markdown, its own figures beside the paper's.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from processes import print_head, print_row
from torch import nn

from trackgen.learn.architectures import pooled
from trackgen.learn.architectures.sequence_nets import SEQUENCE_NETS, ZengNet
from trackgen.learn.datasets.batches import FixedWindows, StepBatches
from trackgen.learn.datasets.windows import one_hot
from trackgen.learn.fit import FitOptions, fit

WORTHWHILE, NEVER = pooled.WORTHWHILE, 10**9
BATCH, LENGTH, STEPS_OF_TABLE_2 = 100, 101, 5000
TABLE_2 = {
    "1layer": 64.34, "1layer_64motif": 79.45, "1layer_128motif": 94.47, "1layer_local_win9": 68.08,
    "1layer_local_win3": 73.12, "2layer": 91.82, "3layer": 124.12, "2layer_local_win3": 93.34,
    "3layer_local_win3": 125.5,
}  # fmt: skip
"""Seconds for 500,000 samples in Caffe on an EC2 GPU of 2016 (Zeng 2016, Table 2)."""
COLUMNS = ("net", "weights", "trackgen, s", "bare PyTorch, s", "trackgen / bare", "Zeng 2016, Table 2, s (a GPU)")


@dataclass(frozen=True)
class Data:
    """Random sequences: uint8[n, 101] codes and int64[n] labels."""

    codes: np.ndarray
    labels: np.ndarray


def make_data(number: int) -> Data:
    random = np.random.default_rng(0)
    return Data(random.integers(0, 4, (number, LENGTH)).astype(np.uint8), random.integers(0, 2, number))


def by_hand(net: nn.Module) -> nn.Module:
    """The same layers as a sequence, where they can be written down as one."""
    if isinstance(net, ZengNet):
        return nn.Sequential(*net.trunk, nn.Flatten(), net.hidden, nn.ReLU(), net.dropout, net.output)
    return net


def bare_loop(net: nn.Module, data: Data, steps: int) -> Callable[[], None]:
    """What a run takes, prepared: one-hot of everything."""
    model = by_hand(net)
    inputs, labels = torch.from_numpy(one_hot(data.codes)), torch.from_numpy(data.labels)

    def run() -> None:
        model.train()
        pooled.WORTHWHILE = NEVER  # nets that are no sequence of layers would take trackgen's own form of them
        optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0, rho=0.9, eps=1e-6)
        order = torch.randperm(len(labels))
        for step in range(steps):
            rows = order[(step * BATCH) % len(order) :][:BATCH]
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[rows]), labels[rows]).backward()
            optimizer.step()
        pooled.WORTHWHILE = WORTHWHILE

    return run


def own_loop(net: nn.Module, data: Data, steps: int) -> Callable[[], None]:
    windows = (data.codes, data.labels)
    options = FitOptions(epochs=1, optimizer="adadelta", learning_rate=1.0)

    def run() -> None:
        source = StepBatches(windows, BATCH, steps)
        held_back = FixedWindows((data.codes[:BATCH], data.labels[:BATCH]))
        fit(net, nn.functional.cross_entropy, source, held_back, options)

    return run


def measure(name: str, data: Data, steps: int, rounds: int) -> tuple[int, float, float]:
    """(number of weights, seconds of trackgen's loop, of the bare one) for 5,000 steps."""
    torch.manual_seed(0)
    runs = [make(SEQUENCE_NETS[name].build(), data, steps) for make in (own_loop, bare_loop)]
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for number, run in enumerate(runs):
            start = time.process_time()
            run()
            best[number] = min(best[number], time.process_time() - start)
    weights = sum(value.numel() for value in SEQUENCE_NETS[name].build().parameters())
    own, bare = (seconds * STEPS_OF_TABLE_2 / steps for seconds in best)
    return weights, own, bare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=list(SEQUENCE_NETS))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = make_data(10_000)
    print(f"PyTorch {torch.__version__}, {platform.machine()}, one thread, best of {arguments.rounds} rounds.\n")
    print_head(COLUMNS)
    for name in arguments.nets:
        weights, own, bare = measure(name, data, arguments.steps, arguments.rounds)
        published = f"{TABLE_2[name]:.2f}" if name in TABLE_2 else "-"
        print_row([name, f"{weights:,}", f"{own:.1f}", f"{bare:.1f}", f"{own / bare:.2f}", published])


if __name__ == "__main__":
    main()
