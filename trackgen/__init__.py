"""trackgen: scan whole genomes with ONNX models, write BigWig tracks and hubs, and show them."""

__version__ = "0.1.0"
