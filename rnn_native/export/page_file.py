"""One HTML page: a net, what runs it, and something to draw on or fill in."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from string import Template
from typing import Any

from rnn_native.base.files import AnyPath, atomic_write
from rnn_native.base.markup import escape
from rnn_native.base.version import __version__
from rnn_native.export.page_inputs import inputs_of, outputs_of
from rnn_native.export.page_layers import Store, described_net
from rnn_native.export.steps import nets_of, place_named
from rnn_native.models import open_set
from rnn_native.models.ensemble import Ensemble
from rnn_native.models.network import Network

PARTS = Path(__file__).resolve().parent / "page"
TITLES = {
    "drawing": "Draw a character",
    "picture": "Choose a picture",
    "numbers": "Enter numbers",
}
DIGITS_TITLE = "Draw a digit"
VIEWED = ("views.js", "viewer.js")
LAYER_FILES = {
    "norms.js": {"batchnorm", "layernorm", "rmsnorm", "normalization"},
    "tokens.js": {
        *("patch_embed", "patch_embed1d", "position"),
        *("self_attention", "masking", "mean_pool"),
    },
    "blocks.js": {"fork", "branch", "add", "concat"},
    "recurrent.js": {"simple_rnn", "gru", "lstm"},
    "embedding.js": {"columns", "embedding"},
}
"""Types of layers by the file that only pages with such a layer need; layers.js has the rest."""
SCRIPTS = {
    "drawing": ("strokes.js", "reading.js", *VIEWED, "result.js", "drawing.js"),
    "picture": ("reading.js", *VIEWED, "result.js", "picture.js"),
    "numbers": ("reading.js", "result.js", "form.js"),
}
"""By the kind of input; those of the layers and net.js come first, start.js last."""


def to_html(
    model: Network | Ensemble,
    path: AnyPath,
    *,
    int8: bool = False,
    title: str | None = None,
    classes: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    guard: tuple[Network, float] | None = None,
) -> None:
    """Write a network as one HTML page that runs it, atomically.

    Parameters
    ----------
    model : Network or Ensemble
        Of an ensemble the page has all nets, and shows the mean of what they predict.
    path : path
        The file; its name usually ends in ".html".
    int8 : bool
        Whether weight matrices are rounded to int8, as for `to_c`: a quarter of the size.
    title : str, optional
        By default what the user can do there, as "Draw a digit".
    classes : sequence of str, optional
        What the outputs are called, one name for each; of one yes or no also the two names
        of no and yes. By default their numbers.
    features : sequence of str, optional
        What the inputs of a net that accepts a row of numbers are called.
    guard : (Network, float), optional
        For drawings: a net on the same images whose last output is the probability that one
        shows no class at all, and where that begins: the page then says "not a digit". Its
        matrices are rounded to int8. By default, for digits, the one of the recognizer.

    Raises
    ------
    TypeError
        If `model` is not a Network or Ensemble.
    ValueError
        If a page cannot express a layer, which is named; if a weight is not finite; if names
        are empty, or their number differs from that of outputs or inputs.
    OSError
        If the file cannot be written.

    Notes
    -----
    The page needs no server, network or library, and its Content-Security-Policy lets it load
    nothing. What it asks for depends on the net's input:

    - a drawing, for 28 x 28 pixels and ten classes, or classes named by one character each;
    - a picture, for other images of one or three channels, and 28 x 28 pixels with classes
      of longer names. The picture's middle is scaled to the net's size, as numbers in [0, 1];
    - numbers, for everything else: a field for each of a row of up to 100, else one for all.

    It computes with float32 between layers: probabilities are those of
    `Network.predict_proba` to 1e-5.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.export.to_html(rn.pretrained.load(), f"{folder}/digit.html")
    """
    page = html_page(
        model, int8=int8, title=title, classes=classes, features=features, guard=guard
    )
    atomic_write(path, page.encode())


def html_page(
    model: Network | Ensemble,
    *,
    int8: bool = False,
    title: str | None = None,
    classes: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    guard: tuple[Network, float] | None = None,
) -> str:
    """Return what `to_html` writes.

    Parameters
    ----------
    model : Network or Ensemble
        As for `to_html`.
    int8 : bool
        As for `to_html`.
    title : str, optional
        As for `to_html`.
    classes : sequence of str, optional
        As for `to_html`.
    features : sequence of str, optional
        As for `to_html`.
    guard : (Network, float), optional
        As for `to_html`.

    Returns
    -------
    str
        The page, to be written as UTF-8.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(3)], input_shape=(4,))
    >>> rn.export.html_page(net, title="Flowers").startswith("<!DOCTYPE html>")
    True
    """
    # Of copies: a net's arrays belong together, even in training.
    nets = [copy(net) for net in nets_of(model)]
    inputs = inputs_of(nets[0], classes, features)
    store, listed = Store(int8), []
    for i, net in enumerate(nets):
        with place_named(model, i):
            listed.append(described_net(net, store))
    described = {
        "inputs": inputs,
        "outputs": outputs_of(nets[0], classes),
        "nets": listed,
        "guard": _guard(guard, inputs, store),
        "floats": sum(values.size for values in store.floats),
    }
    known = {
        "title": escape(title or _title(inputs)),
        "facts": escape(_facts(nets, int8)),
        # "</script>" must not occur in it.
        "net": json.dumps(described, separators=(",", ":")).replace("<", "\\u003c"),
        "weights": base64.b64encode(store.content()).decode(),
    }
    return _filled(inputs, _layer_files(described), known)


def _layer_files(described: dict[str, Any]) -> list[str]:
    """Return the files with the layers of the nets that are described."""
    guards = described["guard"]["nets"] if described["guard"] else []
    nets = (*described["nets"], *guards)
    types = {layer["type"] for net in nets for layer in net["layers"]}
    return ["layers.js", *(name for name, own in LAYER_FILES.items() if own & types)]


def _guard(
    guard: tuple[Network, float] | None, inputs: dict[str, Any], store: Store
) -> dict[str, Any] | None:
    """Return the net that recognizes what belongs to no class, and its threshold, for JSON."""
    if guard is None and inputs.get("digits"):
        guard = open_set.shipped()
    if guard is None:
        return None
    net, threshold = guard
    if inputs["kind"] != "drawing" or math.prod(net.input_shape) != inputs["size"]:
        shape = " x ".join(map(str, net.input_shape))
        raise ValueError(
            f"guard: expected a net of drawings, for a page of drawings, got an input of {shape}"
        )
    store.int8 = True  # the net itself is there already; a yes or no needs no more
    return {"nets": [described_net(copy(net), store)], "threshold": float(threshold)}


def _filled(inputs: dict[str, Any], layers: Sequence[str], known: dict[str, str]) -> str:
    """Return the page of its parts, `layers` among its scripts."""
    kind = inputs["kind"]
    style = _compact(_part("style.css"))
    files = (*layers, "net.js", *SCRIPTS[kind], "start.js")
    script = "".join(_compact(_part(name)) for name in files)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    form = "form.html" if inputs.get("features") else "numbers.html"
    asked = {"drawing": "drawing.html", "picture": "picture.html", "numbers": form}[kind]
    shape = inputs["shape"]
    texts = {
        "hint": f"{_title(inputs)} here",
        "shape": " x ".join(map(str, shape)),
        "count": str(inputs["size"]),
    }
    return Template(_part("page.html")).substitute(
        known,
        policy=policy,
        style=style,
        script=script,
        input=Template(_part(asked)).substitute(texts),
        view=_part("view.html") if kind != "numbers" else "",
    )


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _compact(text: str) -> str:
    """Return JavaScript or CSS without lines of comments, empty ones, and indentation."""
    return re.sub(r"^\s*(//.*|/\*(?s:.*?)\*/)?\n?[ ]*", "", text, flags=re.MULTILINE)


def _hash(text: str) -> str:
    """Return the source expression of a Content-Security-Policy that allows this text."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _title(inputs: dict[str, Any]) -> str:
    return DIGITS_TITLE if inputs.get("digits") else TITLES[inputs["kind"]]


def _facts(nets: Sequence[Network], int8: bool) -> str:
    """Return what the page says about its net."""
    what = "A neural network" if len(nets) == 1 else f"{len(nets)} neural networks"
    parameters = sum(net.params.size for net in nets)
    kind = "int8" if int8 else "float32"
    return f"{what} with {parameters:,} parameters ({kind}), written by rnn_native {__version__}."
