"""The nets whose contributions are timed, and their twins whose every non-linearity is a module that takes hooks.

tangermeme puts its rules on modules, each called once; `torch.relu` and `torch.amax` have nothing to put a rule on. A
twin has the weights of the net as they are, and gives the number that contributions explain: the logit of each class,
less the mean logit where a softmax follows; of a profile the sum over its positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from scan_nets import CASES, Case, Profile, Shallow, Tss, Zeng
from torch import Tensor, nn

BATCHES = (64, 256, 1024)
SMALL_BATCHES = (16, 64, 256)
LARGEST_DIFFERENCE = 1e-5
"""Between a twin's prediction and the net's: of the largest value for a profile."""


class Centred(nn.Module):
    """Logits less their mean, which is what remains of them after a softmax."""

    def forward(self, logits: Tensor) -> Tensor:
        return logits - logits.mean(dim=1, keepdim=True)


def tss_twin(net: Tss) -> nn.Module:
    inner = net.net
    layers = [inner.convolution, inner.pool, nn.ReLU(), nn.Flatten(), inner.hidden, nn.ReLU(), inner.dropout]
    return nn.Sequential(*layers, inner.output, Centred())


def zeng_twin(net: Zeng) -> nn.Module:
    layers = [net.convolution, nn.MaxPool1d(net.pooled), nn.Flatten(), net.hidden, nn.ReLU(), net.dropout, net.output]
    return nn.Sequential(*layers, Centred())


def shallow_twin(net: Shallow) -> nn.Module:
    first = [net.convolution, net.pool, net.first_norm, nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*first, net.hidden, net.second_norm, nn.ReLU(), net.output)


class ProfileTwin(nn.Module):
    """The sum of a profile."""

    def __init__(self, net: Profile) -> None:
        super().__init__()
        self.net = net
        self.activations = nn.ModuleList(nn.ReLU() for _ in range(len(net.tower) + 1))

    def forward(self, sequence: Tensor) -> Tensor:
        values = self.activations[0](self.net.first(sequence))
        rows = zip(self.net.tower, self.net.dilations, self.activations[1:], strict=True)
        for layer, dilation, activation in rows:
            values = values[:, :, dilation:-dilation] + activation(layer(values))
        return self.net.profile(values).sum(dim=2)


@dataclass(frozen=True)
class Explained:
    """A net, its twin, and the bars that its contributions are held against."""

    case: Case
    make_twin: Callable[..., nn.Module]
    one_reference: float | None = None
    """The least ratio of rates to tangermeme with one reference for all windows..."""
    shuffles: float | None = None
    """... and with shuffles of each window."""
    cost: float | None = None
    """The most that one class may take, in predictions."""
    batches: tuple[int, ...] = BATCHES
    """Windows and references that tangermeme is tried with at a time."""

    @property
    def class_index(self) -> int:
        """The class that is explained: the last."""
        return self.case.classes - 1

    @property
    def profile_target(self) -> str | None:
        return None if self.case.positions is None else "sum"

    def twin(self, net: nn.Module) -> nn.Module:
        """The twin, found to give what the net gives on random windows."""
        made = self.make_twin(net).eval()
        generator = torch.Generator().manual_seed(2)
        codes = torch.randint(0, 4, (8, self.case.window), generator=generator)
        windows = nn.functional.one_hot(codes, 4).transpose(1, 2).float()
        with torch.inference_mode():
            wanted, found = net(windows), made(windows)
        if self.case.activation == "none":
            wanted = wanted.sum(dim=2)
            scale = float(wanted.abs().max())
        else:
            found = torch.softmax(found, dim=1) if self.case.activation == "softmax" else torch.sigmoid(found)
            scale = 1.0
        difference = float((wanted - found).abs().max()) / scale
        if not difference <= LARGEST_DIFFERENCE:
            raise SystemExit(f"{self.case.title}: the twin gives {difference:.2g} more or less than the net")
        return made


_CASES = {case.key: case for case in CASES}
EXPLAINED = (
    Explained(_CASES["tss"], tss_twin, 90, 1500, 3.5),
    Explained(_CASES["zeng"], zeng_twin, 150, None, 6),
    Explained(_CASES["shallow"], shallow_twin, batches=SMALL_BATCHES),
    Explained(_CASES["shallow1"], shallow_twin, batches=SMALL_BATCHES),
    Explained(_CASES["profile"], ProfileTwin, batches=(4, 16, 64)),
)
