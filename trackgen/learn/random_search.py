"""Random search over a net's sizes, as Fishman and Gurev made it: some draws, each trained for some epochs.

``FOLDER/draws.jsonl`` has a line for each draw that is done, ``FOLDER/best.pt`` the weights of the best, by the loss on
validation, ``FOLDER/checkpoint.pt`` the draw under way: a search that is stopped goes on where it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from trackgen.errors import UsageError
from trackgen.learn.architectures.denoise_paper import Sizes, draw_sizes, kind_of_net
from trackgen.learn.architectures.layered import LayeredNet
from trackgen.learn.fit import BatchSource, FitOptions, fit, seed_everything
from trackgen.progress import Progress

__all__ = ["Draw", "SearchOptions", "random_search"]


@dataclass(frozen=True)
class SearchOptions:
    """How to search; the defaults are the paper's, where it tells them.

    Attributes:
        net: a kind of `trackgen.learn.architectures.denoise_paper.KINDS`.
        draws: different sizes that are tried.
        epochs: that each is trained for; the best epoch by validation is kept.
        learning_rate: of Adam; the paper tells none, Keras' default is this.
        seed: of sizes, weights and the training's order.
        device: a torch device.
        data: what tells the examples from others, by name.
    """

    net: str = "hilbert"
    draws: int = 10
    epochs: int = 20
    learning_rate: float = 1e-3
    seed: int = 1
    device: str = "cpu"
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def told(self) -> dict[str, Any]:
        """What a record says of the search that it belongs to."""
        names = ("net", "seed", "epochs", "learning_rate")
        return {**{name: getattr(self, name) for name in names}, **self.data}


@dataclass(frozen=True)
class Draw:
    """What became of one draw.

    Attributes:
        number: from 0.
        sizes: that were drawn.
        parameters: weights of the net.
        best_epoch: from 0.
        validation_mse: there.
        history: one row an epoch: epoch, train_loss, loss.
    """

    number: int
    sizes: Sizes
    parameters: int
    best_epoch: int
    validation_mse: float
    history: list[dict[str, float]]


def random_search(
    train: BatchSource, validation: BatchSource, options: SearchOptions, folder: Path, progress: Progress,
    *, resume: bool = False,
) -> tuple[list[Draw], nn.Module]:  # fmt: skip
    """All draws, and the best one's net with its weights, in evaluation mode.

    Args:
        train, validation: batches.
        options: what is drawn, and how each is trained.
        folder: takes records and weights.
        progress: told about every epoch of every draw.
        resume: go on with what `folder` holds.

    Raises:
        UsageError: there is no such kind; `folder` holds another search.
    """
    sizes = draw_sizes(options.net, options.draws, options.seed)
    done = _records(folder / "draws.jsonl", sizes, options) if resume else []
    for number in range(len(done), len(sizes)):
        draw, net = _try(number, sizes[number], train, validation, options, folder, progress, resume=resume)
        if all(draw.validation_mse < other.validation_mse for other in done):
            _save({"draw": number, "weights": net.state_dict()}, folder / "best.pt")
        done.append(draw)
        # After the weights: a draw that has a record is done for good.
        _write_records(folder / "draws.jsonl", done, options)
        (folder / "checkpoint.pt").unlink(missing_ok=True)
        progress.note(f"draw {number + 1} of {len(sizes)}: {_words(draw)}")
    best = min(done, key=lambda draw: (draw.validation_mse, draw.number))
    net = LayeredNet(kind_of_net(options.net).spec(best.sizes))
    net.load_state_dict(torch.load(folder / "best.pt", map_location="cpu", weights_only=True)["weights"])
    return done, net.eval()


def _try(
    number: int, sizes: Sizes, train: BatchSource, validation: BatchSource, options: SearchOptions, folder: Path,
    progress: Progress, *, resume: bool,
) -> tuple[Draw, nn.Module]:  # fmt: skip
    seed_everything(options.seed, number)
    spec = kind_of_net(options.net).spec(sizes)
    net = LayeredNet(spec)
    settings = FitOptions(
        epochs=options.epochs, patience=options.epochs, learning_rate=options.learning_rate, seed=options.seed,
        device=options.device,
    )  # fmt: skip
    result = fit(
        net, functional.mse_loss, train, validation, settings, checkpoint=folder / "checkpoint.pt", resume=resume,
        progress=progress,
    )  # fmt: skip
    return Draw(number, sizes, spec.parameters, result.best_epoch, result.best, result.history), net


def _words(draw: Draw) -> str:
    sizes = draw.sizes
    return (
        f"width {sizes.width}, {sizes.filters} filters, {sizes.hidden} hidden units: "
        f"validation MSE {draw.validation_mse:.4f}"
    )


def _record(draw: Draw, options: SearchOptions) -> dict[str, Any]:
    return options.told | asdict(draw)


def _write_records(path: Path, draws: list[Draw], options: SearchOptions) -> None:
    part = path.with_name(path.name + ".tmp")
    part.write_text("".join(json.dumps(_record(draw, options)) + "\n" for draw in draws))
    os.replace(part, path)


def _records(path: Path, sizes: list[Sizes], options: SearchOptions) -> list[Draw]:
    """Draws that are done, at most as many as there are sizes.

    Raises:
        UsageError: they are of another search.
    """
    if not path.exists():
        return []
    draws = []
    for number, line in enumerate(path.read_text().splitlines()):
        told = json.loads(line)
        wanted = options.told
        if number < len(sizes):
            wanted["sizes"] = asdict(sizes[number])
        for key, value in wanted.items():
            if told.get(key) != value:
                raise UsageError(
                    f"the search was begun with another {key}", path=path, found=told.get(key), wanted=value,
                    remedy="give the same options, or another output folder",
                )  # fmt: skip
        draws.append(_draw(told))
    if len(draws) > len(sizes):
        raise UsageError(
            "the search has more draws already", path=path, found=len(draws), wanted=f"at most {len(sizes)}",
            remedy=f"give --draws {len(draws)} or more",
        )  # fmt: skip
    return draws


def _draw(told: Mapping[str, Any]) -> Draw:
    return Draw(
        told["number"], Sizes(**told["sizes"]), told["parameters"], told["best_epoch"], told["validation_mse"],
        told["history"],
    )  # fmt: skip


def _save(state: Mapping[str, Any], path: Path) -> None:
    part = path.with_name(path.name + ".tmp")
    torch.save(dict(state), part)
    os.replace(part, path)
