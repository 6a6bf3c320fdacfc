"""Gets what the demo is about, from a file, a data folder, or once from public servers: sacCer3, and ATAC-seq of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from trackgen.errors import DataError
from trackgen.genome.assemblies import ASSEMBLIES
from trackgen.genome.sequence import genome_digest, open_genome
from trackgen.progress import Progress

__all__ = ["SACCER3_DIGEST", "find_saccer3", "find_yeast_atac", "verify_saccer3"]

SACCER3_DIGEST = "21d92a5a9ab52db02d50185f13f2158af34e3d04a887b68b8ad6c240189a879e"
"""`genome_digest` of sacCer3 (R64, 17 sequences, 12,157,105 bp): equal for every sound copy in any format."""
SACCER3_BASES = 12_157_105
URL = "https://hgdownload.soe.ucsc.edu/goldenPath/sacCer3/bigZips/sacCer3.2bit"
IN_DATA_FOLDER = ("genome_yeast/sacCer3.2bit", "genome_yeast/sacCer3.fa.gz")
ATAC_FILE = "yeast_500k_SRR1822137.bedpe.gz"
ATAC_URL = (
    f"https://raw.githubusercontent.com/macs3-project/MACS/a341a2f0ede26735f744d6d5e3b0f7ac1861cfe9/test/{ATAC_FILE}"
)
ATAC_MD5 = "0c95e339937e2a29b8a6164e59001eed"
"""467,908 fragments of SRR1822137 (Schep et al. 2015, doi:10.1101/gr.192294.115), from the tests of MACS3 (BSD-3)."""


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


def find_yeast_atac(progress: Progress) -> tuple[Path, str] | None:
    """Verified ATAC-seq fragments of yeast, and where they came from in words; None, told, where they can't be had.

    Looks into the folder that the environment variable TRACKGEN_DATA names, then into the download cache, then
    downloads (1.8 MB).
    """
    folder = os.environ.get("TRACKGEN_DATA")
    path = Path(folder or "") / "yeast_atac" / ATAC_FILE
    if folder and path.is_file():
        found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        if found == ATAC_MD5:
            return path, "the data folder TRACKGEN_DATA"
        progress.note(f"{path} is not the file that the demo knows (md5 {found[:8]} instead of {ATAC_MD5[:8]})")
    elif folder:
        progress.note(f"the data folder {folder} (TRACKGEN_DATA) has no yeast_atac/{ATAC_FILE}")
    progress.note(f"ATAC-seq: {ATAC_URL}, unless the cache has it")
    try:
        return _retrieve(ATAC_URL, ATAC_FILE, f"md5:{ATAC_MD5}"), "MACS3's public repository, cached"
    except Exception as error:  # pooch passes on whatever its transport raises; all of it means: no file
        progress.note(f"the ATAC-seq fragments can't be had ({_first_line(error)}): the demo goes on without them")
        return None


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
    progress.note(f"genome: {URL}, unless the cache has it")
    try:
        # No hash of the file: what counts is the sequence inside, which is verified in every case.
        return _retrieve(URL, "sacCer3.2bit", None)
    except Exception as error:  # pooch passes on whatever its transport raises; all of it means: no file
        raise DataError(
            "the yeast genome can't be downloaded",
            path=URL,
            found=_first_line(error),
            wanted="a connection to UCSC's public server",
            remedy="give a copy with --genome FILE (FASTA or 2bit), or set TRACKGEN_DATA to a folder that has one",
        ) from error


def _retrieve(address: str, name: str, known_hash: str | None) -> Path:
    """The file at an address, from the download cache where that has it."""
    import pooch

    pooch.get_logger().setLevel("WARNING")  # progress is told by us
    return Path(pooch.retrieve(address, known_hash=known_hash, fname=name, path=pooch.os_cache("trackgen")))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
