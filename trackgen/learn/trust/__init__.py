"""How far contribution tracks can be trusted: the model's reference against shuffles, and tracks against their calls.

Works on the exported ONNX file alone; nothing here imports PyTorch.
"""
