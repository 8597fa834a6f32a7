"""Who takes part: a variant of a peer module for each row, and which workload has which."""

from typing import NamedTuple


class Variant(NamedTuple):
    """A module of this package with options; `what` names the variant in the tables."""

    module: str
    what: str = ""
    options: tuple[str, ...] = ()
    rewritten: bool = False  # by hand, from the model's algebra: beside the comparison


OURS = "rnn_native"
OURS_ALONE = "rnn_native-1"

VARIANTS = {
    OURS: Variant("rnn_native_peer"),
    OURS_ALONE: Variant("rnn_native_peer", "1 thread", ("alone",)),
    "torch": Variant("torch_peer", "eager"),
    "torch-last": Variant("torch_peer", "eager, channels last", ("channels-last",)),
    "torch-sdpa": Variant("torch_peer", "eager, fused attention", ("sdpa",)),
    "torch-compile": Variant("torch_peer", "compiled", ("compile",)),
    "torch-compile-sdpa": Variant(
        "torch_peer", "compiled, fused attention", ("compile", "sdpa")
    ),
    "torch-autotune": Variant("torch_peer", "max-autotune", ("compile", "autotune")),
    "torch-columns": Variant(
        "torch_columns_peer", "without columns of zeros", rewritten=True
    ),
    "torch-mean": Variant(
        "torch_peer",
        "eager, fused attention, mean first",
        ("sdpa", "mean-first"),
        rewritten=True,
    ),
    "jax": Variant("jax_peer", "jit"),
    "jax-patches": Variant("jax_peer", "jit, convolution as a product", ("patches",)),
    "jax-patches-last": Variant(
        "jax_peer",
        "jit, convolution as a product, channels last",
        ("patches", "channels-last"),
    ),
    "jax-mean": Variant("jax_peer", "jit, mean first", ("mean-first",), rewritten=True),
    "jax-tied": Variant(
        "jax_peer",
        "jit, mean first, keys and values tied to tokens",
        ("mean-first", "tied"),
        rewritten=True,
    ),
    "jax-calls": Variant("jax_peer", "jit, one call per epoch", ("calls",)),
    "sklearn": Variant("sklearn_peer"),
    "onnx": Variant("onnx_peer"),
    "numpy": Variant("numpy_peer"),
    "mlpfile": Variant("mlpfile_peer"),
}

MLP = ["torch", "torch-compile", "torch-columns", "jax", "sklearn"]
CNN = ["torch", "torch-last", "torch-compile", "jax-patches", "jax-patches-last"]
ATTENTION = [
    *("torch", "torch-sdpa", "torch-compile", "torch-compile-sdpa", "torch-mean"),
    *("jax", "jax-mean", "jax-tied"),
]

# Left to the command line: torch-autotune, which takes minutes to compile, and jax for
# general-cnn, where the gradient of lax.conv takes several times as long as a product.
PEERS = {
    "mlp": MLP,
    "mlp-noise": MLP,
    "cnn": [*CNN, "jax"],
    "attention": ATTENTION,
    "general-cnn": CNN,
    "signals": ["torch", "torch-compile"],
    "resnet": ["torch", "torch-last", "torch-compile"],
    "transformer": ["torch", "torch-compile"],
    "xor": ["torch", "torch-compile", "jax-calls", "jax"],
    "predict-mlp": ["torch", "torch-compile", "jax", "sklearn"],
    "predict-cnn": ["torch", "torch-last", "torch-compile", "jax"],
}

# Those of shapes.py, for whatever net it is; a peer that cannot express one reports that.
SHAPE_PEERS = ["torch", "torch-last", "torch-compile", "jax", "jax-patches", "sklearn"]
SHAPE_PREDICTORS = ["torch", "torch-compile", "onnx", "numpy", "mlpfile"]
DENSE_ONLY = ("sklearn", "numpy", "mlpfile")


def takes_part(name: str, kinds: list[str], sizes: tuple[int, ...] = ()) -> bool:
    """Return whether a variant may be asked about layers of such kinds, and calls of sizes."""
    if name in DENSE_ONLY and set(kinds) != {"dense"}:
        return False
    if name == "mlpfile" and max(sizes, default=1) > 1:
        return False
    if name in ("jax", "jax-patches"):  # XLA's own convolutions take minutes
        return (name == "jax-patches") == any(kind.startswith("conv") for kind in kinds)
    return name != "torch-last" or "conv2d" in kinds
