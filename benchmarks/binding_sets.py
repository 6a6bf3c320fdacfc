"""The seven human sets on which models of binding are held against each other, and the motifs they must beat."""

from __future__ import annotations

from pathlib import Path

from processes import data_file

from trackgen.learn.datasets.importers import open_set
from trackgen.learn.datasets.motif_files import MotifDatabase, read_motifs
from trackgen.learn.datasets.sequences import SequenceSet

__all__ = ["FAMILIES", "MOTIF_BAR", "RECORDS", "SETS", "human_set", "known_motifs"]

RECORDS = Path(__file__).parent.parent / "docs" / "benchmarks" / "binding"
"""Folder of the runs' records, of which ``report`` makes docs/benchmarks/binding.md."""
_DEEPBIND = {
    "ARID3A": "ARID3A_K562_ARID3A_(sc-8821)_Stanford",
    "ELK1": "ELK1_GM12878_ELK1_(1277-1)_Stanford",
    "FOXA1": "FOXA1_HepG2_FOXA1_(SC-101058)_HudsonAlpha",
    "REST": "REST_GM12878_NRSF_HudsonAlpha",
    "SP1": "SP1_GM12878_SP1_HudsonAlpha",
    "ZBTB7A": "ZBTB7A_HepG2_ZBTB7A_(SC-34508)_HudsonAlpha",
}
SETS = ("CTCF", *_DEEPBIND)
MOTIF_BAR = {"CTCF": 0.93, "ARID3A": 0.59, "ELK1": 0.92, "FOXA1": 0.92, "REST": 0.96, "SP1": 0.63, "ZBTB7A": 0.52}
"""AUC of a known motif on these sets, measured beforehand by other means."""
FAMILIES = "motifs/JASPAR2024_CORE_vertebrates_non-redundant_pfms_transfac.txt"
"""Names the family of each factor, too."""
_DATABASES = (
    FAMILIES,
    "motifs/HOCOMOCO_H12CORE_meme_format.meme",
    "motifs/HOCOMOCOv9.meme",
)


def human_set(name: str) -> SequenceSet:
    """One of `SETS`: Zeng's own CTCF set with both of its files, or a set of DeepBind's."""
    if name == "CTCF":
        folder = data_file("human_tf_seqs/zeng_ctcf")
        return open_set(f"CTCF=zeng:{folder / 'test.fa.gz'}+{folder / 'valid.fa.gz'}")
    return open_set(f"{name}=deepbind:{data_file('human_tf_seqs/deepbind') / (_DEEPBIND[name] + '_AC.seq.gz')}")


def known_motifs() -> list[MotifDatabase]:
    """JASPAR 2024, HOCOMOCO 12 and HOCOMOCO 9."""
    return [read_motifs(data_file(name)) for name in _DATABASES]
