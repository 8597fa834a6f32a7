"""Ways out for a trained net, and back in: ONNX, C, PyTorch, scikit-learn."""

from rnn_native.export.c_file import c_source, to_c
from rnn_native.export.int8 import rounded_to_int8
from rnn_native.export.onnx_file import onnx_model, to_onnx

__all__ = [
    "c_source",
    "onnx_model",
    "rounded_to_int8",
    "to_c",
    "to_onnx",
]
