"""What all examples share: where a net goes."""

import rnn_native as rn


def export(net, path):
    """Write a net as ONNX or C, as the name of the file says."""
    (rn.export.to_onnx if path.endswith(".onnx") else rn.export.to_c)(net, path)
