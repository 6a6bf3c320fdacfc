"""The paper's kinds of nets: what they are made of, and how sizes are drawn."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trackgen.errors import UsageError
from trackgen.learn.architectures.denoise_paper import KINDS, Sizes, draw_sizes, kind_of_net
from trackgen.learn.architectures.layered import LayeredNet


def test_a_net_of_the_search_is_one_convolution_and_one_hidden_layer() -> None:
    words = {name: str(kind.spec(Sizes(5, 8, 32))) for name, kind in KINDS.items()}
    assert words["conv1d"] == "conv1d 8 x 5, relu, flatten, dense 32, relu, dense 1024"
    assert words["conv2d"] == "rows, conv2d 8 x 5, relu, flatten, dense 32, relu, dense 1024"
    assert words["hilbert"] == "hilbert, conv2d 8 x 5, relu, flatten, dense 32, relu, dense 1024"
    assert words["hilbert-final"] == (
        "hilbert, conv2d 8 x 5, relu, conv2d 8 x 5, relu, concat-input, conv2d 8 x 5, relu, flatten, "
        "dense 32, relu, dense 32, relu, dense 1024"
    )


@pytest.mark.parametrize("name", KINDS)
def test_nets_read_4096_bins_and_tell_1024(name: str) -> None:
    net = LayeredNet(KINDS[name].spec(Sizes(KINDS[name].widths[0], 4, 32)))
    assert net(torch.zeros(2, 1, 4096)).shape == (2, 1, 1024)


@given(name=st.sampled_from(sorted(KINDS)), number=st.integers(1, 60), seed=st.integers(0, 9))
@settings(deadline=None)
def test_draws_differ_and_more_of_them_begin_with_the_fewer(name: str, number: int, seed: int) -> None:
    drawn = draw_sizes(name, number, seed)
    assert len(drawn) == len(set(drawn)) == min(number, 36)
    assert draw_sizes(name, 36, seed)[:number] == drawn
    assert {sizes.width for sizes in drawn} <= set(KINDS[name].widths)


def test_an_unknown_kind_is_told() -> None:
    with pytest.raises(UsageError, match="unknown kind of net; found conv3d; wanted conv1d, conv2d, hilbert") as caught:
        kind_of_net("conv3d")
    assert caught.value.exit_status == 2
