"""Ways out for a trained net, and back in: ONNX, C, PyTorch, scikit-learn."""

from rnn_native.export.onnx_file import onnx_model, to_onnx

__all__ = [
    "onnx_model",
    "to_onnx",
]
