"""A command whose library is missing says which extra brings it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.source import ROOT
from trackgen.cli.extras import EXTRA_OF, missing_extra

HIDE = """
import sys
sys.modules[{library!r}] = None
sys.argv = ["trackgen", "export", "model.pt", "-o", "model.onnx"]
from trackgen.cli.main import main
main()
"""


@pytest.mark.parametrize(("library", "status"), [("torch", 2), ("numpy", 1)])
def test_only_libraries_of_extras_are_told_apart_from_our_own_faults(library: str, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HIDE.format(library=library)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == status
    assert ("pip install 'trackgen[train]'" in done.stderr) is (status == 2)
    assert ("a fault of trackgen itself" in done.stderr) is (status == 1)


def test_the_extras_are_those_of_setup_cfg() -> None:
    text = (ROOT / "setup.cfg").read_text(encoding="utf-8").replace("scikit-learn", "sklearn")
    extras = text.partition("[options.extras_require]")[2]
    for library, extra in EXTRA_OF.items():
        section = extras.partition(f"\n{extra} =")[2].partition(" =\n")[0]
        assert f"\n    {library}>=" in section


def test_a_part_of_a_library_counts_as_the_library() -> None:
    error = missing_extra(ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"))
    assert error is not None
    assert error.exit_status == 2
