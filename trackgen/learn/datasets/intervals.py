"""Intervals by sequence; and bedtools, through pybedtools, with its temporary files in a folder that is removed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trackgen.errors import ResourceError, UsageError
from trackgen.genome import spans_by_name

__all__ = ["bedtools", "spans_by_name"]


@contextmanager
def bedtools() -> Iterator[Any]:
    """The module pybedtools, ready to use; results must be read before the context ends.

    Raises:
        UsageError: pybedtools or the bedtools program is not installed.
        ResourceError: bedtools itself failed.
    """
    try:
        import pybedtools
    except ImportError as error:
        raise UsageError(
            f"training needs pybedtools ({error})", remedy="install it with: pip install 'trackgen[train]'"
        ) from error
    if shutil.which("bedtools") is None:
        raise UsageError(
            "training needs the program bedtools, which is not on the PATH",
            remedy="install it with: apt-get install bedtools, or: conda install -c bioconda bedtools",
        )
    before = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(prefix="trackgen-bedtools-") as folder:
        pybedtools.set_tempdir(folder)
        try:
            yield pybedtools
        except pybedtools.helpers.BEDToolsError as error:
            raise ResourceError(f"bedtools failed: {error}") from error
        finally:
            pybedtools.set_tempdir(before)
