"""``trackgen score``: what a model predicts at regions and start sites, and what alleles change of it."""
