"""What a trained model has learned: filters, motifs, occlusion, activation maximisation, contributions (extra explain).

Works on the exported ONNX file alone; nothing here imports PyTorch.
"""
