"""Training and export: the only part of trackgen that needs PyTorch (extra ``train``)."""
