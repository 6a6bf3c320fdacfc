"""The model card: frozen dataclasses <-> JSON <-> the metadata of an ONNX file."""

from trackgen.card.model_file import (
    GENOME_BEGINNINGS,
    add_card,
    card_of,
    check_against_graph,
    embed_card,
    load_model,
    read_card,
    save_model,
)
from trackgen.card.parse import card_from_dict, parse_card
from trackgen.card.schema import (
    Card,
    ClassSpec,
    ContributionSpec,
    InputSpec,
    OutputSpec,
    ReferenceSpec,
)
from trackgen.card.soundness import refuse_broken, tensors_of

__all__ = [
    "GENOME_BEGINNINGS",
    "Card",
    "ClassSpec",
    "ContributionSpec",
    "InputSpec",
    "OutputSpec",
    "ReferenceSpec",
    "add_card",
    "card_from_dict",
    "card_of",
    "check_against_graph",
    "embed_card",
    "load_model",
    "parse_card",
    "read_card",
    "refuse_broken",
    "save_model",
    "tensors_of",
]
