"""What a net has to beat on labelled sequences: the best known motif, and a gapped k-mer support vector machine."""
