"""Changes of a net that leave its function as it is: of every kind, on every kind of layer, anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trackgen.errors import UsageError
from trackgen.learn.architectures.layered import (
    SPECS,
    ConcatInput,
    Conv1d,
    Conv2d,
    Dense,
    Flatten,
    Hilbert,
    Layer,
    LayeredNet,
    NetSpec,
    Relu,
    Rows,
)
from trackgen.learn.fit import seed_everything
from trackgen.learn.nash.morphisms import KINDS, WEIGHTED, Change, Net, change_net, change_spec
from trackgen.learn.nash.neighbours import Bounds, draw_children, possible

ANY = Bounds()
FOLDS: tuple[Layer, ...] = (Hilbert(), Rows())
TINY = 64
"""Bins, of an 8 x 8 square."""


def net_of(spec: NetSpec, seed: int = 0) -> Net:
    """A net with random weights and random biases."""
    seed_everything(seed)
    module = LayeredNet(spec)
    for layer in module.layers:
        if isinstance(bias := getattr(layer, "bias", None), torch.Tensor):
            torch.nn.init.normal_(bias)
    return Net.of(module)


def outputs(net: Net, window: int, seed: int = 0, number: int = 3) -> torch.Tensor:
    """What it makes of values like coverage, and of negative ones."""
    values = torch.from_numpy(np.random.default_rng(seed).normal(1.0, 5.0, (number, 1, window)).astype(np.float32))
    with torch.no_grad():
        made: torch.Tensor = net.build()(values)
    return made


def assert_same_function(one: Net, other: Net, seed: int = 0) -> None:
    wanted, found = (outputs(net, one.spec.window, seed) for net in (one, other))
    # float32 sums in another order: relative to the largest of the values that the layers make
    scale = max(1.0, float(wanted.abs().max()))
    assert float((found - wanted).abs().max()) <= 1e-5 * scale


widths, sizes = st.sampled_from([1, 3, 5]), st.integers(1, 5)


@st.composite
def specs(draw: st.DrawFn) -> NetSpec:
    """Small nets of all there is: convolutions before and behind a fold, the input joined anywhere, ReLUs or not."""
    layers: list[Layer] = []

    def block(kind: Callable[[int, int], Layer]) -> None:
        for _ in range(draw(st.integers(0, 2))):
            layers.append(kind(draw(sizes), draw(widths)))
            layers.extend([Relu()] * draw(st.integers(0, 1)))
            layers.extend([ConcatInput()] * draw(st.integers(0, 1)))

    block(Conv1d)
    if draw(st.booleans()):
        layers.append(draw(st.sampled_from(FOLDS)))
        block(Conv2d)
    layers.append(Flatten())
    for _ in range(draw(st.integers(0, 2))):
        layers.append(Dense(draw(sizes)))
        layers.extend([Relu()] * draw(st.integers(0, 1)))
    return NetSpec((*layers, Dense(3)), TINY)


@given(specs(), st.data())
@settings(max_examples=80, deadline=None)
def test_every_change_keeps_the_function_on_any_net(spec: NetSpec, data: st.DataObject) -> None:
    open_to = possible(spec, ANY)
    if not open_to:
        assert not any(isinstance(layer, (*WEIGHTED, Relu)) for layer in spec.layers[:-1])
        return
    change = data.draw(st.sampled_from(open_to))
    seed = data.draw(st.integers(0, 1000))
    net = net_of(spec, seed)
    changed = change_net(net, change, np.random.default_rng(seed))
    assert changed.spec == change_spec(spec, change) != spec
    assert changed.spec.parameters == sum(value.numel() for value in changed.weights.values())
    assert_same_function(net, changed, seed)


@given(specs(), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_many_changes_in_a_row_keep_the_function(spec: NetSpec, seed: int) -> None:
    random = np.random.default_rng(seed)
    net = changed = net_of(spec, seed)
    (changes,) = draw_children(spec, 1, 5, ANY, random)
    for change in changes:
        changed = change_net(changed, change, random)
    assert_same_function(net, changed, seed)


PAPER_LIKE = {
    "1-D": NetSpec((Conv1d(4, 5), Relu(), Flatten(), Dense(8), Relu(), Dense(16)), 256),
    "2-D": NetSpec((Rows(), Conv2d(4, 5), Relu(), Flatten(), Dense(8), Relu(), Dense(16)), 256),
    "Hilbert": NetSpec((Hilbert(), Conv2d(4, 5), Relu(), Flatten(), Dense(8), Relu(), Dense(16)), 256),
    "final": NetSpec((
        Hilbert(), Conv2d(4, 5), Relu(), Conv2d(4, 3), Relu(), ConcatInput(), Conv2d(2, 5), Relu(), Flatten(),
        Dense(8), Relu(), Dense(8), Relu(), Dense(16),
    ), 256),
}  # fmt: skip


@pytest.mark.parametrize("name", PAPER_LIKE)
def test_all_changes_of_the_papers_kinds_of_nets_keep_their_function(name: str) -> None:
    net = net_of(PAPER_LIKE[name])
    for number, change in enumerate(possible(net.spec, ANY)):
        assert_same_function(net, change_net(net, change, np.random.default_rng(number)))


@pytest.mark.slow
def test_a_step_from_the_papers_final_net_keeps_its_function() -> None:
    net = net_of(SPECS["hilbert-final"])
    for number, change in enumerate(possible(net.spec, Bounds(20_000_000))):
        assert_same_function(net, change_net(net, change, np.random.default_rng(number)))


def test_every_kind_is_possible_on_convolutions_and_dense_layers() -> None:
    changes = possible(PAPER_LIKE["final"], ANY)
    touched = {(change.kind, type(PAPER_LIKE["final"].layers[change.layer])) for change in changes}
    wanted = {("wider", Conv2d), ("wider", Dense), ("deeper", Relu), ("input", Conv2d), ("input", Flatten)}
    assert touched == wanted
    assert {change.kind for change in changes} == set(KINDS)


def test_the_papers_start_grows_into_the_shape_of_its_final_net() -> None:
    spec = SPECS["hilbert-start"]
    for change in (Change("deeper", 2, 5), Change("deeper", 4, 5), Change("input", 5), Change("deeper", 10, 1)):
        assert change in possible(spec, ANY)
        spec = change_spec(spec, change)
    assert [type(layer) for layer in spec.layers] == [type(layer) for layer in SPECS["hilbert-final"].layers]


def test_a_wider_layer_before_flatten_replicates_whole_blocks_of_what_follows() -> None:
    """Held against a loop over channels and places."""
    net = net_of(NetSpec((Conv1d(2, 3), Relu(), ConcatInput(), Flatten(), Dense(2)), 4))
    wider = change_net(net, Change("wider", 0, 4), np.random.default_rng(3))
    before, after = (one.weights["layers.4.weight"].reshape(2, -1, 4) for one in (net, wider))
    kernels = [one.weights["layers.0.weight"] for one in (net, wider)]
    assert after.shape[1] == 5
    torch.testing.assert_close(after[:, 4], before[:, 2])
    for channel in range(2):
        copies = [i for i in range(4) if torch.equal(kernels[1][i], kernels[0][channel])]
        torch.testing.assert_close(sum(after[:, i] for i in copies), before[:, channel], rtol=1e-6, atol=1e-7)


def test_copies_get_unequal_shares_and_learn_apart_without_noise() -> None:
    net = net_of(NetSpec((Flatten(), Dense(1), Relu(), Dense(1)), 4), seed=1)
    with torch.no_grad():
        net.weights["layers.1.bias"].fill_(20.0)  # so that the ReLU lets something through
    module = change_net(net, Change("wider", 1, 2), np.random.default_rng(0)).build()
    first = module.get_parameter("layers.1.weight")
    assert torch.equal(first[0], first[1])
    (module(torch.ones(1, 1, 4)) ** 2).sum().backward()
    assert first.grad is not None
    assert not torch.allclose(first.grad[0], first.grad[1])


def test_noise_is_added_to_copies_alone_and_only_where_it_is_asked_for() -> None:
    net = net_of(PAPER_LIKE["1-D"])
    exact, noisy = (
        change_net(net, Change("wider", 0, 8), np.random.default_rng(0), noise=noise) for noise in (0.0, 1e-3)
    )
    kernel = net.weights["layers.0.weight"]
    difference = noisy.weights["layers.0.weight"] - exact.weights["layers.0.weight"]
    assert not difference[:4].any()
    assert 0 < float(difference[4:].abs().max()) < 1e-2 * float(kernel.abs().max())
    assert 0 < float((outputs(noisy, 256) - outputs(net, 256)).abs().max()) < 0.1


def test_the_same_numbers_give_the_same_net_and_the_parent_stays_as_it_is() -> None:
    net = net_of(PAPER_LIKE["final"])
    before = {name: value.clone() for name, value in net.weights.items()}
    one, two = (change_net(net, Change("wider", 1, 8), np.random.default_rng(5)) for _ in range(2))
    assert all(torch.equal(one.weights[name], two.weights[name]) for name in one.weights)
    assert all(torch.equal(net.weights[name], before[name]) for name in before)


def test_children_are_unlike_each_other_and_within_the_bound_of_weights() -> None:
    spec = PAPER_LIKE["final"]
    bounds = Bounds(spec.parameters + 200, spec.multiplications + 100_000)
    children = draw_children(spec, 8, 1, bounds, np.random.default_rng(0))
    assert len(set(children)) == 8
    assert all(bounds.hold(change_spec(spec, change)) for (change,) in children)
    assert not all(bounds.hold(change_spec(spec, change)) for change in possible(spec, ANY))
    assert draw_children(spec, 8, 1, bounds, np.random.default_rng(0)) == children


def test_where_nothing_is_possible_a_child_is_the_parent_unchanged() -> None:
    spec = PAPER_LIKE["1-D"]
    assert draw_children(spec, 2, 3, Bounds(spec.parameters), np.random.default_rng(0)) == [(), ()]


@pytest.mark.parametrize(
    "change",
    [
        Change("wider", 0, 3), Change("wider", 1, 9), Change("wider", 5, 99), Change("wider", 17, 9),
        Change("deeper", 0, 3), Change("input", 0), Change("input", 3), Change("thinner", 0, 2),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_is_named(change: Change) -> None:
    with pytest.raises(UsageError) as caught:
        change_net(net_of(PAPER_LIKE["1-D"]), change, np.random.default_rng(0))
    assert f"{change}: the net can't be changed so; found conv1d 4 x 5, relu" in str(caught.value)
    assert caught.value.exit_status == 2


def test_an_unknown_kind_of_change_is_told() -> None:
    with pytest.raises(UsageError, match="unknown kind of change; found narrower; wanted wider, deeper, input"):
        Bounds(kinds=("narrower",))


def test_a_change_says_what_it_is() -> None:
    said: dict[str, Any] = {str(change): change for change in possible(PAPER_LIKE["1-D"], ANY)}
    assert list(said)[:3] == ["wider at layer 1 to 6", "wider at layer 1 to 8", "deeper at layer 2, width 3"]
    assert str(Change("input", 3)) == "input at layer 4"
