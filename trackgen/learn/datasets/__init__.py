"""What nets are trained on: labelled positions of a genome, and the windows around them."""
