"""The core's tables: what nets accept is what the tables say."""

import re
from pathlib import Path

import numpy as np
import pytest

import rnn_native._core as _core

TABLES = _core.tables()
KINDS = {"int": int, "float": float, "bool": bool, "choice": str}
ROWS = {
    "layers": {kind: row["keys"] for kind, row in TABLES["layers"].items()},
    "optimizers": TABLES["optimizers"],
}
KEYS = [
    (what, kind, key)
    for what, rows in ROWS.items()
    for kind, keys in rows.items()
    for key in keys
]


def required(layer):
    return {
        key: row["choices"][0] if row["choices"] else row["min"]
        for key, row in ROWS["layers"][layer].items()
        if row["required"]
    }


def refusal(what, kind, **given):
    """The message about one key, or None; what does not fit an input is not asked."""
    if what == "optimizers":
        call = lambda: _core.check_optimizer({"type": kind, **given})  # noqa: E731
    else:
        spec = {"type": kind, **required(kind), **given}
        call = lambda: _core.Net([spec], (1,), "none")  # noqa: E731
    where = "optimizer" if what == "optimizers" else r"layers[0]"
    try:
        call()
    except (ValueError, TypeError) as error:
        (key,) = given
        kinds = ("a number", "an integer", "one of ")
        starts = tuple(f"{where}.{key}: expected {kind}" for kind in kinds)
        return str(error) if str(error).startswith(starts) else None
    return None


@pytest.mark.parametrize(("what", "kind", "key"), KEYS)
def test_a_key_is_what_the_table_says(what, kind, key):
    row = ROWS[what][kind][key]
    columns = {"kind", "required", "default", "min", "max", "count", "choices"}
    assert set(row) == columns
    if row["default"] is not None:
        assert type(row["default"]) is KINDS[row["kind"]]
    if row["kind"] == "choice":
        assert row["min"] is row["max"] is None
        assert refusal(what, kind, **{key: "?"}) is not None
        for name in row["choices"]:
            assert refusal(what, kind, **{key: name}) is None
        return
    if row["kind"] == "bool":
        return
    check_several(what, kind, key)
    low, high = row["min"], row["max"]
    below = low - 1 if row["kind"] != "float" else np.nextafter(low, -np.inf)
    above = high + 1 if row["kind"] != "float" else np.nextafter(high, np.inf)
    for value in (below, above):
        assert refusal(what, kind, **{key: value}) is not None, value
    assert refusal(what, kind, **{key: low}) is None
    if what == "optimizers" or row["kind"] == "float":
        assert refusal(what, kind, **{key: high}) is None


def check_several(what, kind, key):
    """Names that a number may have, and how many numbers may be given."""
    row = ROWS[what][kind][key]
    for name in row["choices"]:
        assert refusal(what, kind, **{key: name}) is None
        assert refusal(what, kind, **{key: [name, name]}) is not None
    lengths = {2, row["count"]} if row["count"] > 1 else set()
    if row["kind"] == "ints":
        lengths = set(range(1, row["count"] + 1))
    for n in range(6):
        for several in ([row["min"]] * n, (row["min"],) * n):
            is_refused = refusal(what, kind, **{key: several}) is not None
            assert is_refused == (n not in lengths), several
        if n > 0:
            assert refusal(what, kind, **{key: [row["min"] - 1] * n}) is not None
            assert refusal(what, kind, **{key: [None] * n}) is not None


@pytest.mark.parametrize("layer", TABLES["layers"])
def test_required_keys_are_required(layer):
    with pytest.raises(ValueError, match="layers") as error:
        _core.Net([{"type": layer}, {"type": "?"}], (1,), "none")
    assert ("layers[0]" in str(error.value)) == bool(required(layer))


@pytest.mark.parametrize("layer", TABLES["layers"])
def test_what_layers_keep(layer):
    """Of inputs in [0.5, 1], and of twice the inputs."""
    spec = {"type": layer, **required(layer)}
    for shape in [(8,), (4, 2), (2, 2, 2)]:
        try:
            net = _core.Net([spec], shape, "none")
        except ValueError:
            continue
        net.params[:] = 1.7
        x = np.random.default_rng(1).uniform(0.5, 1, (3, 8)).astype(np.float32)
        y, twice = net.predict(x), net.predict(2 * x)
        within = y.min() >= x.min() and y.max() <= x.max()
        row = TABLES["layers"][layer]
        assert not row["keeps_bounds"] or within
        assert not row["keeps_factors"] or np.allclose(2 * y, twice)
        assert not row["keeps_factors"] or net.params.size == 0
        return
    raise AssertionError(layer)


def test_alphas_are_the_defaults():
    x = np.float32([[-1.0]])
    for name, row in TABLES["activations"].items():
        spec = {"type": "activation", "function": name}
        made = [_core.Net([spec], (1,), "none")]
        made += [_core.Net([spec | {"alpha": row["alpha"]}], (1,), "none")]
        if row["alpha"] is not None:
            assert made[0].predict(x) == made[1].predict(x)
            other = _core.Net([spec | {"alpha": 0.5}], (1,), "none")
            assert other.predict(x) != made[0].predict(x)


def test_bounds_of_activations():
    x = np.float32([[-1e6], [1e6]])
    for name, row in TABLES["activations"].items():
        net = _core.Net([{"type": "activation", "function": name}], (1,), "none")
        low, high = net.predict(x).ravel()
        assert row["below"] == (low > -1000), name
        assert row["above"] == (high < 1000), name


def test_losses_take_their_targets_and_apply_their_function():
    x = np.float32([[1.0, 2.0]])
    own = {"exp": np.exp, "linear": lambda z: z, "sigmoid": lambda z: 1 / (1 + np.exp(-z))}
    own["softmax"] = lambda z: np.exp(z) / np.exp(z).sum()
    for name, row in TABLES["losses"].items():
        net = _core.Net([{"type": "flatten"}], (2,), name)
        np.testing.assert_allclose(net.predict(x), own[row["function"]](x), rtol=1e-6)
        y = np.int32([1]) if row["targets"] == "labels" else x / 2
        net.evaluate(x, y)


# ---- shapes before there is a net ----

LAYERS = [
    {"type": "conv2d", "filters": 3, "kernel_size": 3},
    {"type": "flatten"},
    {"type": "dense", "units": 4},
]


def test_layer_shapes_are_the_nets():
    found = _core.layer_shapes(LAYERS, (1, 5, 6))
    assert found == [(3, 3, 4), (36,), (4,)]
    net = _core.Net(LAYERS, (1, 5, 6), "none")
    assert found == [layer["shape"] for layer in net.layers]


def test_layer_params_are_the_nets():
    layers = [*LAYERS, {"type": "batchnorm"}]
    found = _core.layer_params(layers, (1, 5, 6))
    net = _core.Net(layers, (1, 5, 6), "none")
    assert found == [[(p["name"], p["shape"]) for p in la["params"]] for la in net.layers]
    with pytest.raises(ValueError, match=r"layers\[0\]: "):
        _core.layer_params(LAYERS[:1], (1, 5, 6), "huber")


def test_messages_begin_to_count_where_they_are_told():
    for wrong, message in [
        ({"type": "dense"}, r"^layers\[8\].units: missing; dense needs it$"),
        ({"type": "position"}, r"^layers\[8\]: position expects tokens x values, got an "),
    ]:
        with pytest.raises(ValueError, match=message):
            _core.layer_shapes([LAYERS[2], {**wrong, "path": "layers[8]"}], (5,))


def test_a_loss_wants_one_row_of_the_last_layer():
    assert _core.layer_shapes(LAYERS[:1], (1, 5, 6)) == [(3, 3, 4)]
    with pytest.raises(
        ValueError, match=r"^layers\[0\]: expected the last .*got 3 x 3 x 4"
    ):
        _core.layer_shapes(LAYERS[:1], (1, 5, 6), "huber")
    with pytest.raises(ValueError, match="^loss: expected one of .*, got 'hinge'"):
        _core.layer_shapes(LAYERS, (1, 5, 6), "hinge")


def test_outputs_that_no_int_counts_are_refused():
    layer = {"type": "dense", "units": 2**16}
    with pytest.raises(ValueError, match=r"^layers\[0\]: expected an array of at most "):
        _core.Net([layer], (2**16, 1), "none")


# ---- the page ----

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "layers.md").read_text()


def shown(default):
    if isinstance(default, bool):
        return str(default).lower()
    return str(default).replace("1e-05", "1e-5")


def options_of(layer):
    """The options of a layer as the page has them: `units, activation (linear), alpha`."""
    found = []
    for key, row in ROWS["layers"][layer].items():
        default = "" if row["default"] is None else f" ({shown(row['default'])})"
        decided = {"stride": " (kernel_size)"}.get(key, "") if "pool" in layer else ""
        found.append(f"{key}{default or decided}")
    return ", ".join(found)


def test_the_page_has_each_layer_with_its_options():
    table = PAGE.split("## Blocks")[0]
    rows = re.findall(r"^\| `(\w+)`, `\w+` \| (.*?) ?\|", table, re.M)
    assert rows == [(layer, options_of(layer)) for layer in TABLES["layers"]]


def test_the_page_has_each_activation_with_its_alpha():
    table = PAGE.split("## Activation functions")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)`.*\| ([\d.]*) ?\|.*\|$", table, re.M)
    assert rows == [
        (name, "" if row["alpha"] is None else str(row["alpha"]))
        for name, row in TABLES["activations"].items()
    ]
