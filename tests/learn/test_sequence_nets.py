"""Nets for binding: as the papers have them, the same on both strands where they say so, and dense when scanned."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.graph.dense_oracle import assert_dense_equals_windows
from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec
from trackgen.errors import UsageError
from trackgen.genome import reverse_complement
from trackgen.learn.architectures.binding import ThesisBinding, ThesisDeepBinding
from trackgen.learn.architectures.multitask import (
    BOUND,
    UNBOUND,
    UNKNOWN,
    BoundLogits,
    FactorHeads,
    ThesisMultitask,
    ThreeNodeLoss,
)  # fmt: skip
from trackgen.learn.architectures.sequence_nets import SEQUENCE_NETS, ZengNet, sequence_net
from trackgen.learn.architectures.strands import PairedConv1d, both_strands
from trackgen.learn.calibration import Calibration
from trackgen.learn.datasets.windows import one_hot
from trackgen.learn.export import Calibrated, CalibratedSigmoid, export

TABLE_1 = {
    "1layer": ((16,), None), "1layer_1motif": ((1,), None), "1layer_64motif": ((64,), None),
    "1layer_128motif": ((128,), None), "1layer_local_win9": ((16,), 9), "1layer_local_win3": ((16,), 3),
    "2layer": ((16, 32), None), "3layer": ((16, 32, 64), None), "2layer_local_win3": ((16, 32), 3),
    "3layer_local_win3": ((16, 32, 64), 3),
}  # fmt: skip
"""Kernels of each layer, and the top pool (None for the global one), as Zeng 2016, Table 1, has them."""
BOTH_STRANDS = [name for name, entry in SEQUENCE_NETS.items() if entry.strands == "both"]
QUICK = ("1layer_local_win9", "deepbind_fc", "rc_dilated")


def randomized(net: nn.Module, seed: int = 1) -> nn.Module:
    """Weights of a size at which all layers matter, and batch norms that do something; in evaluation mode."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm1d):
                for name, low, high in (("running_mean", -0.3, 0.3), ("running_var", 0.3, 2.0)):
                    layer.get_buffer(name).uniform_(low, high)
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.uniform_(-0.3, 0.3)
            elif isinstance(layer, nn.Conv1d | nn.Linear):
                layer.weight.normal_(0, 1 / math.sqrt(layer.weight[0].numel()))
                layer.get_parameter("bias").uniform_(-0.2, 0.2)
    return net.eval()


def sample(number: int, length: int = 101, seed: int = 0) -> np.ndarray:
    """uint8[n, L] codes with a few unknown bases."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, (number, length)).astype(np.uint8)
    codes[random.random((number, length)) < 0.02] = 4
    return codes


def logits(net: nn.Module, codes: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = net(torch.from_numpy(one_hot(codes))).numpy()
    return found


@pytest.mark.parametrize("name", TABLE_1)
def test_the_ten_codes_are_those_of_the_papers_table(name: str) -> None:
    kernels, top = TABLE_1[name]
    net = SEQUENCE_NETS[name].build()
    assert isinstance(net, ZengNet)
    convolutions = [layer for layer in net.trunk if isinstance(layer, nn.Conv1d)]
    pools = [layer for layer in net.trunk if isinstance(layer, nn.MaxPool1d)]
    assert [layer.out_channels for layer in convolutions] == list(kernels)
    assert [layer.kernel_size for layer in convolutions] == [(24,), (5,), (5,)][: len(kernels)]
    assert all(layer.stride == (1,) for layer in convolutions)
    positions = 78
    for _ in kernels[1:]:
        positions = positions // 2 - 4
    assert [pool.kernel_size for pool in pools] == [2] * (len(kernels) - 1) + [top or positions]
    assert (net.hidden.out_features, net.output.in_features, net.output.out_features) == (32, 32, 2)
    assert net.hidden.in_features == kernels[-1] * (positions // (top or positions))
    assert logits(net.eval(), sample(3)).shape == (3, 2)


def test_every_code_of_the_paper_is_marked_as_such() -> None:
    assert [name for name, entry in SEQUENCE_NETS.items() if entry.zeng] == list(TABLE_1)


def test_the_basic_net_is_convolution_relu_global_maximum_and_two_dense_layers() -> None:
    """Base by base, as the paper's section 2.1 says it, the ReLU before the maximum."""
    net = randomized(SEQUENCE_NETS["1layer"].build(length=40))
    codes, state = sample(2, 40), {key: value.double().numpy() for key, value in net.state_dict().items()}
    found = logits(net, codes)
    for row, sequence in enumerate(codes):
        features = []
        for kernel, bias in zip(state["trunk.0.weight"], state["trunk.0.bias"], strict=True):
            scores = []
            for start in range(40 - 24 + 1):
                known = [(base, place) for place, base in enumerate(sequence[start : start + 24]) if base < 4]
                scores.append(max(0.0, bias + sum(kernel[base, place] for base, place in known)))
            features.append(max(scores))
        hidden = np.maximum(state["hidden.weight"] @ features + state["hidden.bias"], 0)
        np.testing.assert_allclose(found[row], state["output.weight"] @ hidden + state["output.bias"], atol=1e-5)


def test_dropout_masks_the_dense_layer_in_training_alone() -> None:
    codes = sample(4)
    net = randomized(SEQUENCE_NETS["1layer"].build(dropout=0.75))
    before = logits(net, codes)
    np.testing.assert_array_equal(before, logits(net, codes))
    assert not np.allclose(before, logits(net.train(), codes))
    assert {layer.p for layer in net.modules() if isinstance(layer, nn.Dropout)} == {0.75}


@pytest.mark.parametrize("name", BOTH_STRANDS)
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**16), length=st.sampled_from([51, 60, 101]))
def test_a_window_and_its_reverse_complement_get_the_same_logits(name: str, seed: int, length: int) -> None:
    net, codes = randomized(SEQUENCE_NETS[name].build(length=length), seed), sample(3, length, seed)
    found = logits(net, codes)
    # the same products, added in another order
    np.testing.assert_allclose(found, logits(net, reverse_complement(codes)), atol=1e-5)
    assert len(np.unique(found.round(4), axis=0)) > 1


def test_nets_that_read_one_strand_do_not() -> None:
    codes = sample(3)
    for name in set(SEQUENCE_NETS) - set(BOTH_STRANDS):
        net = randomized(SEQUENCE_NETS[name].build())
        assert not np.allclose(logits(net, codes), logits(net, reverse_complement(codes)), atol=1e-3), name


def test_flipped_kernels_give_what_the_kernels_give_on_the_flipped_window() -> None:
    convolution = nn.Conv1d(4, 3, 5)
    randomized(convolution)
    codes = sample(2, 20)
    with torch.no_grad():
        paired = both_strands(convolution, torch.from_numpy(one_hot(codes)))
        other = convolution(torch.from_numpy(one_hot(reverse_complement(codes))))
        torch.testing.assert_close(paired[:, :3], convolution(torch.from_numpy(one_hot(codes))), atol=1e-6, rtol=0)
        torch.testing.assert_close(paired[:, 3:], other.flip(2), atol=1e-6, rtol=0)


@settings(deadline=None, max_examples=20)
@given(
    inputs=st.integers(1, 3), outputs=st.integers(1, 3), width=st.integers(1, 4), dilation=st.integers(1, 3),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_paired_channels_stay_paired(inputs: int, outputs: int, width: int, dilation: int, seed: int) -> None:
    layer = randomized(PairedConv1d(inputs, outputs, width, dilation), seed)
    values = torch.randn(2, 2 * inputs, 12)

    def turned(paired: Tensor) -> Tensor:
        half = paired.shape[1] // 2
        return torch.cat([paired[:, half:], paired[:, :half]], dim=1).flip(2)

    with torch.no_grad():
        torch.testing.assert_close(layer(turned(values)), turned(layer(values)), atol=1e-5, rtol=0)


def test_weights_of_a_global_maximum_fit_any_length() -> None:
    for name, entry in SEQUENCE_NETS.items():
        shapes = [{key: value.shape for key, value in entry.build(length=n).state_dict().items()} for n in (101, 160)]
        assert (shapes[0] == shapes[1]) == entry.any_length, name


def test_an_unknown_net_is_refused_with_the_names() -> None:
    with pytest.raises(
        UsageError, match=r"unknown architecture of sequences; found 4layer; wanted 1layer, 1layer_1motif"
    ):
        sequence_net("4layer")
    assert sequence_net("3layer") is SEQUENCE_NETS["3layer"]


@pytest.mark.parametrize("name", SEQUENCE_NETS)
def test_sequences_that_are_too_short_for_a_net_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="the sequences are too short for the net") as caught:
        SEQUENCE_NETS[name].build(length=23)
    assert caught.value.exit_status == 2


def card_of(window: int, classes: int, activation: Literal["softmax", "sigmoid"], *, signal: bool = False) -> Card:
    inputs = (InputSpec("sequence", "sequence"), InputSpec("signal", "signal", channels=("signal",)))
    outputs = (OutputSpec("bound", activation, tuple(ClassSpec(f"c{index}") for index in range(classes))),)
    return Card(name="net", window=window, inputs=inputs[: 1 + signal], outputs=outputs)


def assert_scans_densely(net: nn.Module, card: Card, folder: Path, strides: tuple[int, ...]) -> None:
    """Exported, and scanned as a tile, it gives what it gives window by window, to rounding."""
    path = export(net, card, folder / "net.onnx")
    for stride in strides:
        values = assert_dense_equals_windows(onnx.load(path), card, stride, seed=stride)
        assert all(value.std(axis=0).max() > 1e-4 for value in values.values())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in SEQUENCE_NETS]
)
def test_an_exported_net_scans_densely(name: str, tmp_path: Path) -> None:
    calibration = Calibration(0.8, (0.0, -1.0))
    net = Calibrated(randomized(SEQUENCE_NETS[name].build()), calibration)
    assert_scans_densely(net, card_of(101, 2, "softmax"), tmp_path, (1, 10))


@pytest.mark.slow
@pytest.mark.parametrize("signal", [False, True])
@pytest.mark.parametrize("build", [ThesisBinding, ThesisDeepBinding, partial(ThesisBinding, width=20, signal_pool=20)])
def test_the_thesis_nets_scan_densely(build: type[nn.Module], signal: bool, tmp_path: Path) -> None:
    net = CalibratedSigmoid(randomized(build(with_signal=signal)), Calibration(0.8, (0.0, -1.0)))
    assert_scans_densely(net, card_of(1000, 1, "sigmoid", signal=signal), tmp_path, (50,))


@pytest.mark.slow
@pytest.mark.parametrize("signal", [False, True])
def test_the_multi_task_net_scans_densely(signal: bool, tmp_path: Path) -> None:
    net = CalibratedSigmoid(
        BoundLogits(randomized(ThesisMultitask(3, with_signal=signal))), Calibration(1.0, (0.0, 0.0))
    )
    assert_scans_densely(net, card_of(1000, 3, "sigmoid", signal=signal), tmp_path, (50,))


def test_the_thesis_nets_have_the_sizes_that_it_gives() -> None:
    sequence, signal = torch.zeros(2, 4, 1000), torch.zeros(2, 1, 1000)
    plain = ThesisBinding(width=20, signal_pool=20)
    assert plain.joined[0].in_features == 150
    for net in (ThesisBinding(), plain, ThesisDeepBinding(), ThesisBinding(with_signal=False)):
        assert net.eval()(sequence, signal).shape == (2, 1)
    multitask = ThesisMultitask(5).eval()
    assert multitask.convolution.weight.shape == (320, 4, 30)
    assert [layer.in_features for layer in multitask.modules() if isinstance(layer, nn.Linear)] == [20480, 1033, 1000]
    assert multitask.heads.hidden.out_features == 5 * 128
    assert multitask(sequence, signal).shape == (2, 5, 3)
    assert ThesisMultitask(5, with_signal=False).eval()(sequence).shape == (2, 5, 3)


def test_hidden_units_are_a_factors_own() -> None:
    heads = FactorHeads(6, 3, units=4).eval()
    heads(torch.randn(5, 6))[:, 1].sum().backward()
    for layer, rows in ((heads.hidden, 4), (heads.nodes, 3)):
        gradient = layer.weight.grad
        assert gradient is not None
        touched = gradient.flatten(1).abs().sum(dim=1).reshape(3, rows).sum(dim=1) > 0
        assert touched.tolist() == [False, True, False]
    bias = heads.nodes.get_parameter("bias").grad
    assert bias is not None
    assert bias.reshape(3, 3).abs().sum(dim=1).gt(0).tolist() == [False, True, False]


def test_the_loss_of_three_nodes_weighs_unknown_0_unbound_1_and_bound_by_the_ratio() -> None:
    torch.manual_seed(0)
    values, labels = torch.randn(4, 2, 3, requires_grad=True), torch.tensor([[0, 1], [1, 2], [2, 0], [0, 0]])
    loss = ThreeNodeLoss([10.0, 3.0])(values, labels)
    total = weight = 0.0
    for row in range(4):
        for factor, ratio in enumerate((10.0, 3.0)):
            weighs = {UNKNOWN: 0.0, UNBOUND: 1.0, BOUND: ratio}[int(labels[row, factor])]
            share = torch.softmax(values[row, factor], dim=0)[labels[row, factor]]
            total, weight = total - weighs * math.log(float(share)), weight + weighs
    assert float(loss) == pytest.approx(total / weight, rel=1e-5)
    loss.backward()
    assert values.grad is not None
    assert torch.equal(values.grad.abs().sum(dim=2) > 0, labels != UNKNOWN)


def test_a_batch_of_which_nothing_is_known_has_no_loss_and_no_gradient() -> None:
    values = torch.randn(4, 2, 3, requires_grad=True)
    loss = ThreeNodeLoss([10.0, 3.0])(values, torch.zeros(4, 2, dtype=torch.int64))
    loss.backward()
    assert float(loss) == 0.0
    assert values.grad is not None
    assert not values.grad.any()


def test_bound_logits_are_the_log_odds_among_what_is_known() -> None:
    values = torch.randn(4, 2, 3)
    known = torch.softmax(values[:, :, 1:], dim=2)[:, :, 1]
    torch.testing.assert_close(torch.sigmoid(BoundLogits(nn.Identity())(values)), known)
