"""Batches: halved when memory runs out, never visible in the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.models import small_model
from trackgen.card import Card, InputSpec, read_card
from trackgen.errors import ModelError, ResourceError, SelfCheckError
from trackgen.runtime import OutOfMemory, open_session
from trackgen.scan.checks import WindowCheck
from trackgen.scan.inputs import Stretch
from trackgen.scan.windows import WindowRunner, default_batch_size


class Faulty:
    """A session that fails in a chosen way around a real one."""

    def __init__(self, path: Path, *, limit: int = 1 << 30, mix: float = 0.0, drop: int = 0) -> None:
        self._session, self.path = open_session(path, device="cpu", threads=1), str(path)
        self._limit, self._mix, self._drop = limit, mix, drop
        self.sizes: list[int] = []

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        size = len(inputs["sequence"])
        if size > self._limit:
            raise OutOfMemory("memory ran out while running the model")
        self.sizes.append(size)
        (values,) = self._session.run(inputs, outputs)
        values = values + np.float32(self._mix * (size - 1))
        return [values[:, self._drop :]]


def random_codes(length: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 5, length).astype(np.uint8)


def run(path: Path, session: Faulty, batch_size: int, told: list[str]) -> np.ndarray:
    runner = WindowRunner(read_card(path), session, batch_size, told.append)  # type: ignore[arg-type]
    (values,) = runner.run(Stretch(random_codes(300)), np.arange(0, 280, dtype=np.int64), reverse=False)
    return values


def test_the_batch_size_is_halved_until_it_fits_and_values_stay(tmp_path: Path) -> None:
    path = small_model(tmp_path).path
    told: list[str] = []
    session = Faulty(path, limit=20)
    halved = run(path, session, 128, told)
    assert max(session.sizes) <= 20
    assert "batch size of small is now 16" in told[-1]
    assert sum(session.sizes[-8:]) <= 8 * 16
    np.testing.assert_allclose(halved, run(path, Faulty(path), 280, told), rtol=0, atol=1e-6)


def test_a_window_that_never_fits_is_a_resource_error(tmp_path: Path) -> None:
    path = small_model(tmp_path).path
    with pytest.raises(ResourceError, match=r"even with one window.*memory") as caught:
        run(path, Faulty(path, limit=0), 8, [])
    assert caught.value.exit_status == 75


def test_an_output_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = small_model(tmp_path).path
    with pytest.raises(
        ModelError, match=r"output out of model small has another shape than its card says.*\(8, 1\).*\(8, 2\)"
    ):
        run(path, Faulty(path, drop=1), 8, [])


def test_windows_that_influence_each_other_fail_the_run(tmp_path: Path) -> None:
    path = small_model(tmp_path).path
    card = read_card(path)
    runner = WindowRunner(card, Faulty(path, mix=1e-4), 64, lambda text: None)  # type: ignore[arg-type]
    stretch, starts = Stretch(random_codes(200)), np.arange(100, dtype=np.int64)
    raw = runner.run(stretch, starts, reverse=True)
    model = SimpleNamespace(path=path, card=card, mode=SimpleNamespace(name="window", largest=()))
    source = SimpleNamespace(name="chr1", stretch=stretch, start=0)
    with pytest.raises(SelfCheckError, match=r"window that begins at chr1:1\D.*depends on the other windows") as caught:
        WindowCheck().add(model, runner, source, starts, raw, reverse=True)  # type: ignore[arg-type]
    assert caught.value.exit_status == 1


def card(window: int, *inputs: InputSpec) -> Card:
    return Card("c", window, (InputSpec("sequence", "sequence"), *inputs), ())


def test_default_batches_bound_the_input_to_sixteen_megabytes() -> None:
    assert default_batch_size(card(200)) == 1024
    assert default_batch_size(card(2_000)) == 524
    assert default_batch_size(card(500_000)) == 2
    assert default_batch_size(card(5_000_000)) == 1


def test_default_batches_count_signals_and_vectors() -> None:
    channels = InputSpec("many", "signal", channels=tuple("abcdefghijkl"))
    assert default_batch_size(card(2_000, channels)) == 524 // 4
    assert default_batch_size(card(2_000, InputSpec("coarse", "signal", resolution=2_000, channels=("a", "b")))) == 524
    assert default_batch_size(card(2_000, InputSpec("vector", "vector", length=8_000))) == 262
