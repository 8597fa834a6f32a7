"""Ways out for a trained net, and back in: ONNX, C, a page, PyTorch, scikit-learn.

The registry of what can be exported, too: public names and targets of the command `export`. The
modules are imported when they are first used, so that the command line can list the targets.
"""

from typing import TYPE_CHECKING, Any

from rnn_native.base import lazy
from rnn_native.export.target import Flag, Target

if TYPE_CHECKING:
    from rnn_native.export.c_file import c_source, to_c
    from rnn_native.export.int8 import rounded_to_int8
    from rnn_native.export.onnx_file import onnx_model, to_onnx
    from rnn_native.export.page_file import html_page, to_html
    from rnn_native.export.sklearn_arrays import Perceptron, from_sklearn, to_sklearn
    from rnn_native.export.torch_tensors import from_torch, load_torch, save_torch, to_torch

__all__ = [
    "Perceptron",
    "c_source",
    "from_sklearn",
    "from_torch",
    "html_page",
    "load_torch",
    "onnx_model",
    "rounded_to_int8",
    "save_torch",
    "to_c",
    "to_html",
    "to_onnx",
    "to_sklearn",
    "to_torch",
]

_HOME = {
    "Perceptron": "rnn_native.export.sklearn_arrays",
    "c_source": "rnn_native.export.c_file",
    "from_sklearn": "rnn_native.export.sklearn_arrays",
    "from_torch": "rnn_native.export.torch_tensors",
    "html_page": "rnn_native.export.page_file",
    "load_torch": "rnn_native.export.torch_tensors",
    "onnx_model": "rnn_native.export.onnx_file",
    "rounded_to_int8": "rnn_native.export.int8",
    "save_torch": "rnn_native.export.torch_tensors",
    "to_c": "rnn_native.export.c_file",
    "to_html": "rnn_native.export.page_file",
    "to_onnx": "rnn_native.export.onnx_file",
    "to_sklearn": "rnn_native.export.sklearn_arrays",
    "to_torch": "rnn_native.export.torch_tensors",
}

_NAMES = Flag(
    "--names",
    "--format torch or --architecture",
    {
        "type": lambda text: text.split(","),
        "metavar": "NAME,...",
        "help": "names of the layers with parameters in the PyTorch module, such as fc1,fc2 "
        "(default: indices in an nn.Sequential)",
    },
    beside="architecture",
)
_UINT8_INPUT = Flag(
    "--uint8-input",
    "an ONNX target",
    {
        "action": "store_true",
        "help": "onnx: the input is uint8, and the graph divides it by 255",
    },
)
_OPSET = Flag(
    "--opset",
    "an ONNX target",
    {
        "type": int,
        "metavar": "N",
        "help": "onnx: the operator set, 13 to 22 (17), for runtimes that need another",
    },
)
_INT8 = Flag(
    "--int8",
    "a target in C or HTML",
    {"action": "store_true", "help": "c, html: round weight matrices to int8"},
)
_TITLE = Flag(
    "--title",
    "an HTML target",
    {
        "metavar": "TEXT",
        "help": "html: title of the page (default: what users can do there)",
    },
)
_CLASSES = Flag(
    "--classes",
    "an HTML target",
    {
        "type": lambda text: text.split(","),
        "metavar": "NAME,...",
        "help": "html: names of the outputs (default: their numbers)",
    },
)
_FEATURES = Flag(
    "--features",
    "an HTML target",
    {
        "type": lambda text: text.split(","),
        "metavar": "NAME,...",
        "help": "html: names of the inputs, for a net that reads a row of numbers",
    },
)

_REFERENCE = "rnn_native.formats.legacy:write_legacy"
_TARGETS = (
    Target("safetensors", "rnn_native.net.model_file:save", ".safetensors"),
    Target("torch", "rnn_native.export.torch_tensors:save_torch", flags=(_NAMES,)),
    Target("onnx", "rnn_native.export.onnx_file:to_onnx", ".onnx", (_UINT8_INPUT, _OPSET)),
    Target("c", "rnn_native.export.c_file:to_c", ".c", (_INT8,)),
    Target(
        "html",
        "rnn_native.export.page_file:to_html",
        ".html",
        (_INT8, _TITLE, _CLASSES, _FEATURES),
    ),
    Target("reference", _REFERENCE, ".bin"),
    Target("reference64", _REFERENCE, fixed={"width": 8}),
    Target("npy", "rnn_native.formats.npy_folder:write_npy_folder", ""),
)
TARGETS = {target.name: target for target in _TARGETS}


def __getattr__(name: str) -> Any:
    return lazy.named(__name__, _HOME, name)


def __dir__() -> list[str]:
    return sorted(
        {*(name for name in globals() if name.startswith("__")), *__all__, "TARGETS"}
    )
