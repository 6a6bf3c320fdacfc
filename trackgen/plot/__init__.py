"""Pictures of a locus, for papers."""
