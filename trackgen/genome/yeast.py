"""Gets the yeast genome sacCer3 for the demo: from a file, from a data folder, or once from UCSC's public server."""

from __future__ import annotations

import os
from pathlib import Path

from trackgen.errors import DataError
from trackgen.genome.assemblies import ASSEMBLIES
from trackgen.genome.sequence import genome_digest, open_genome
from trackgen.progress import Progress

__all__ = ["SACCER3_DIGEST", "find_saccer3", "verify_saccer3"]

SACCER3_DIGEST = "21d92a5a9ab52db02d50185f13f2158af34e3d04a887b68b8ad6c240189a879e"
"""`genome_digest` of sacCer3 (R64, 17 sequences, 12,157,105 bp): equal for every sound copy in any format."""
SACCER3_BASES = 12_157_105
URL = "https://hgdownload.soe.ucsc.edu/goldenPath/sacCer3/bigZips/sacCer3.2bit"
IN_DATA_FOLDER = ("genome_yeast/sacCer3.2bit", "genome_yeast/sacCer3.fa.gz")


def find_saccer3(file: Path | None, progress: Progress) -> tuple[Path, str]:
    """A verified copy of sacCer3, and where it came from in words.

    Args:
        file: the user's own copy; None looks into the folder that the environment variable TRACKGEN_DATA names,
            then into the download cache, then downloads (3 MB).

    Raises:
        DataError: no copy could be had, or it is not sacCer3.
    """
    if file is not None:
        verify_saccer3(file)
        return file, "the file given"
    folder = os.environ.get("TRACKGEN_DATA")
    for name in IN_DATA_FOLDER if folder else ():
        path = Path(str(folder)) / name
        if path.is_file():
            verify_saccer3(path)
            return path, "the data folder TRACKGEN_DATA"
    if folder:
        progress.note(f"the data folder {folder} (TRACKGEN_DATA) has no {' or '.join(IN_DATA_FOLDER)}")
    path = _download(progress)
    verify_saccer3(path)
    return path, "UCSC's public server, cached"


def verify_saccer3(path: Path) -> None:
    """Refuse a file that is not sacCer3, base for base.

    Raises:
        DataError: names, lengths or sequence differ.
    """
    with open_genome(path) as genome:
        wanted = {f"chr{chromosome.label}": chromosome.length for chromosome in ASSEMBLIES["sacCer3"]}
        if dict(genome.lengths) != wanted:
            other = [f"{name} of {size:,} bp" for name, size in genome.lengths.items() if wanted.get(name) != size]
            raise DataError(
                "this is not the yeast genome sacCer3 with UCSC's names",
                path=path,
                found=f"{len(genome.names)} sequences, among them {(other or list(genome.names))[0]}",
                wanted=f"17 sequences of {SACCER3_BASES:,} bp, named chrI to chrXVI and chrM",
                remedy="give another file with --genome",
            )
        digest = genome_digest(genome)
    if digest != SACCER3_DIGEST:
        raise DataError(
            "the sequence is not that of sacCer3",
            path=path,
            found=f"digest {digest[:16]}",
            wanted=f"digest {SACCER3_DIGEST[:16]}",
            remedy="the file is damaged or of another version: get it again, or give another with --genome",
        )


def _download(progress: Progress) -> Path:
    import pooch

    pooch.get_logger().setLevel("WARNING")  # progress is told by us
    progress.note(f"genome: {URL}, unless the cache has it")

    try:
        # No hash of the file: what counts is the sequence inside, which is verified in every case.
        path = pooch.retrieve(URL, known_hash=None, fname="sacCer3.2bit", path=pooch.os_cache("trackgen"))
    except Exception as error:  # pooch passes on whatever its transport raises; all of it means: no file
        raise DataError(
            "the yeast genome can't be downloaded",
            path=URL,
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            wanted="a connection to UCSC's public server",
            remedy="give a copy with --genome FILE (FASTA or 2bit), or set TRACKGEN_DATA to a folder that has one",
        ) from error
    return Path(path)
