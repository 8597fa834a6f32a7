"""Ways out for a trained net, and back in: ONNX, C, PyTorch, scikit-learn."""

from rnn_native.export.c_file import c_source, to_c
from rnn_native.export.int8 import rounded_to_int8
from rnn_native.export.onnx_file import onnx_model, to_onnx
from rnn_native.export.sklearn_arrays import Perceptron, from_sklearn, to_sklearn
from rnn_native.export.torch_tensors import from_torch, load_torch, save_torch, to_torch

__all__ = [
    "Perceptron",
    "c_source",
    "from_sklearn",
    "from_torch",
    "load_torch",
    "onnx_model",
    "rounded_to_int8",
    "save_torch",
    "to_c",
    "to_onnx",
    "to_sklearn",
    "to_torch",
]
