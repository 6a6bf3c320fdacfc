"""Maxima of convolutions, learned from at the price of the maxima: the same as automatic differentiation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trackgen.learn.architectures import pooled
from trackgen.learn.architectures.pooled import WORTHWHILE, pooled_convolution
from trackgen.learn.architectures.sequence_nets import SEQUENCE_NETS


@settings(deadline=None, max_examples=60)
@given(
    number=st.integers(1, 3), channels=st.integers(1, 4), kernels=st.integers(1, 4), width=st.integers(1, 5),
    pools=st.integers(1, 3), rest=st.integers(0, 7), pool=st.integers(WORTHWHILE, WORTHWHILE + 5),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_values_and_gradients_are_those_of_automatic_differentiation(
    number: int, channels: int, kernels: int, width: int, pools: int, rest: int, pool: int, seed: int
) -> None:
    torch.manual_seed(seed)
    sequence = torch.randint(0, 2, (number, channels, pools * pool + min(rest, pool - 1) + width - 1)).float()
    upward = torch.randn(number, kernels, pools)
    start = torch.randn(kernels, channels, width), torch.randn(kernels)
    found = []
    for training in (False, True):
        weight, bias = (value.clone().requires_grad_() for value in start)
        values = pooled_convolution(sequence, weight, bias, pool, training=training)
        (values * upward).sum().backward()  # type: ignore[no-untyped-call]
        assert weight.grad is not None
        assert bias.grad is not None
        found.append((values.detach(), weight.grad, bias.grad))
    for plain, quick in zip(*found, strict=True):
        # the same numbers, added in another order
        torch.testing.assert_close(quick, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["1layer", "deepbind_fc", "rc_128motif"])
def test_a_net_learns_the_same_either_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(4)
    net = SEQUENCE_NETS[name].build(dropout=0.0).train()
    sequence = torch.nn.functional.one_hot(torch.randint(0, 4, (8, 101)), 4).permute(0, 2, 1).float()
    gradients = []
    for least in (WORTHWHILE, 10**9):
        monkeypatch.setattr(pooled, "WORTHWHILE", least)
        net.zero_grad()
        net(sequence)[:, 1].sum().backward()
        gradients.append([value.grad.clone() for value in net.parameters() if value.grad is not None])
    assert len(gradients[0]) == len(list(net.parameters()))
    for quick, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(quick, plain, atol=1e-5, rtol=1e-5)


def test_a_sequence_that_takes_a_gradient_gets_one() -> None:
    sequence = torch.randn(2, 4, 40, requires_grad=True)
    SEQUENCE_NETS["1layer"].build(length=40).train()(sequence).sum().backward()
    assert sequence.grad is not None
    assert sequence.grad.abs().sum() > 0
