"""Names of Keras and PyTorch, for messages about names that are not there."""

from collections.abc import Container

_HERE = {
    "Sequential": "Network([...], input_shape)",
    "Model": "Network([...], input_shape)",
    "Linear": "Dense(units)",
    "DepthwiseConv2D": "Conv2D(channels, size, groups=channels)",
    "MaxPooling1D": "MaxPool1D()",
    "MaxPooling2D": "MaxPool2D()",
    "AveragePooling1D": "AvgPool1D()",
    "AveragePooling2D": "AvgPool2D()",
    "GlobalAveragePooling1D": "MeanPool() for tokens, rn.GlobalAvgPool1D() for signals",
    "GlobalAveragePooling2D": "GlobalAvgPool2D()",
    "GlobalMaxPooling1D": "GlobalMaxPool1D()",
    "GlobalMaxPooling2D": "GlobalMaxPool2D()",
    "AdaptiveAvgPool1d": "GlobalAvgPool1D()",
    "AdaptiveAvgPool2d": "GlobalAvgPool2D()",
    "AdaptiveMaxPool1d": "GlobalMaxPool1D()",
    "AdaptiveMaxPool2d": "GlobalMaxPool2D()",
    "BatchNormalization": "BatchNorm()",
    "BatchNorm1d": "BatchNorm()",
    "BatchNorm2d": "BatchNorm()",
    "LayerNormalization": "LayerNorm()",
    "RMSNormalization": "RMSNorm()",
    "MultiHeadAttention": "SelfAttention(heads, out_proj=True)",
    "MultiheadAttention": "SelfAttention(heads, out_proj=True)",
    "TransformerEncoderLayer": "TransformerBlock(heads, units)",
    "Add": "Residual([...])",
    "Concatenate": "Concat([...], [...])",
    "Average": "Ensemble(nets)",
    "RNN": "SimpleRNN(units)",
    "Unflatten": "Reshape(shape)",
    "Conv1d": "Conv1D(filters, size)",
    "Conv2d": "Conv2D(filters, size)",
    "MaxPool1d": "MaxPool1D()",
    "MaxPool2d": "MaxPool2D()",
    "AvgPool1d": "AvgPool1D()",
    "AvgPool2d": "AvgPool2D()",
    "ReLU": 'Activation("relu")',
    "LeakyReLU": 'Activation("leaky_relu")',
    "GELU": 'Activation("gelu_exact")',
    "SiLU": 'Activation("silu")',
    "Hardswish": 'Activation("hardswish")',
    "Hardsigmoid": 'Activation("hardsigmoid")',
    "Tanh": 'Activation("tanh")',
    "Sigmoid": 'Activation("sigmoid")',
}

_OPTIONS_HERE = {
    "strides": "stride",
    "pool_size": "kernel_size",
    "dilation_rate": "dilation",
    "out_channels": "filters",
    "out_features": "units",
    "num_heads": "heads",
    "nhead": "heads",
    "dim_feedforward": "units",
    "norm_first": "norm",
    "is_causal": "causal",
    "eps": "epsilon",
    "p": "rate",
    "negative_slope": "alpha",
    "num_parameters": "per_channel",
    "init": "initial",
    "mask_value": "value",
    "dim": "axis",
    "hidden_size": "units",
    "input_dim": "num_embeddings",
    "output_dim": "embedding_dim",
    "go_backwards": "reverse",
}


def hint_of(name: str) -> str:
    """Return "; use rn.X", or nothing where another library's name has no equivalent here."""
    return f"; use rn.{_HERE[name]}" if name in _HERE else ""


def option_hint_of(name: str, known: Container[str]) -> str:
    """Return what a layer with these options calls another library's option, or nothing."""
    here = _OPTIONS_HERE.get(name)
    if here in known:
        return f"; use {here}"
    is_of_net = name in ("input_shape", "input_dim")
    return "; it is an option of rn.Network: input_shape=(784,)" if is_of_net else ""
