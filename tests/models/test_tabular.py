"""TabularNet: what it learns of a table, its files, and what it refuses."""

import copy
import io
import pickle

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.base.errors import FormatError
from rnn_native.net import model_file

N = 200
RNG = np.random.default_rng(0)
COLORS = RNG.choice(["red", "green", "blue"], N)
SIZES = RNG.normal(50, 20, N)
TABLE = {"color": COLORS, "size": SIZES}
Y = ((COLORS == "red") ^ (SIZES > 50)).astype(int)
LAYERS = [rn.Dense(16, "relu"), rn.Dense(2)]


@pytest.fixture(scope="module")
def net():
    net = rn.TabularNet(LAYERS, optimizer="adam", embedding_dim=3, min_count=2)
    net.fit(TABLE, Y, epochs=60, lr=0.01, verbose=0)
    return net


def test_it_learns_what_needs_both(net):
    assert net.evaluate(TABLE, Y).accuracy > 0.95
    assert (net.predict(TABLE) == net.predict_proba(TABLE).argmax(1)).all()


def test_it_is_a_network_over_encoded_rows(net):
    rows = net.encode(TABLE)
    assert net(TABLE).tobytes() == net.network.predict_proba(rows).tobytes()
    assert net.network.table_rows == (5, 0)
    state = net.network.state
    np.testing.assert_allclose(state["layers.0.concat.1.1.mean"], SIZES.mean(), rtol=1e-5)
    np.testing.assert_allclose(
        state["layers.0.concat.1.1.variance"], SIZES.var(), rtol=1e-4
    )


def test_unseen_and_missing_categories_have_a_row_each(net):
    """By hand: the vectors of rows 0 and 1 of the table are what the net is given."""
    given = {"color": ["violet", None], "size": [50.0, 50.0]}
    params = {**net.network.parameters, **net.network.state}
    scaled = (50 - params["layers.0.concat.1.1.mean"]) / np.sqrt(
        params["layers.0.concat.1.1.variance"]
    )
    vectors = params["layers.0.concat.0.1.weight"][:2]
    x = np.concatenate([vectors, np.broadcast_to(scaled, (2, 1))], axis=1)
    hidden = np.maximum(x @ params["layers.1.weight"] + params["layers.1.bias"], 0)
    logits = hidden @ params["layers.2.weight"] + params["layers.2.bias"]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(net.predict_proba(given), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("table", "categorical", "kinds"),
    [
        ({"color": COLORS}, (), ["embedding", "flatten"]),
        ({"size": SIZES}, (), ["normalization"]),
        ({"size": SIZES.round()}, ["size"], ["embedding", "flatten"]),
        (np.column_stack([SIZES.round(), SIZES]), [0], ["concat"]),
    ],
)
def test_tables_of_one_kind_and_arrays(table, categorical, kinds):
    net = rn.TabularNet(LAYERS, categorical=categorical)
    net.fit(table, Y, epochs=1, verbose=0)
    assert [spec["type"] for spec in net.network.specs[:-2]] == kinds
    file = io.BytesIO()
    net.save(file)
    assert rn.TabularNet.load(file.getvalue())(table).tobytes() == net(table).tobytes()


def test_files_have_the_categories_and_training_continues(net):
    file = io.BytesIO()
    net.save(file, optimizer_state=True)
    again = rn.TabularNet.load(file.getvalue())
    assert again.code == net.code
    assert repr(again) == repr(net)
    given = {"size": [1.0, 99.0], "color": ["red", "violet"]}
    assert again(given).tobytes() == net(given).tobytes()
    other = rn.TabularNet.load(file.getvalue())
    for one in (again, other):
        one.fit(TABLE, Y, epochs=2, verbose=0)
    assert again.network.get_weights().tobytes() == other.network.get_weights().tobytes()


def test_files_are_told_from_those_of_nets(net):
    file, plain = io.BytesIO(), io.BytesIO()
    net.save(file)
    net.network.save(plain)
    with pytest.raises(
        FormatError, match="holds a net over a table; use rn.TabularNet.load"
    ):
        rn.load(file.getvalue())
    with pytest.raises(FormatError, match="holds a single net; use rn.load"):
        rn.TabularNet.load(plain.getvalue())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"categories": [["color", ["red", 3]]]},
            "table cannot be used: expected categories",
        ),
        ({"numbers": ["color"]}, "table cannot be used: expected different names"),
        ({"numbers": ["a", "b"]}, "the net does not fit the table that the file has"),
        (
            {"categories": [["color", ["red"]]]},
            "the net does not fit the table that the file",
        ),
        ({"embedding_dim": 0}, "table cannot be used: embedding_dim: expected an integer"),
        ({"categories": 3}, "table cannot be used"),
        ({"seed": "x"}, "table cannot be used: seed: expected an integer"),
        ({"min_count": 0}, "table cannot be used: min_count: expected an integer"),
        ({"categorical": 3}, "table cannot be used: categorical: expected names"),
    ],
)
def test_files_that_do_not_fit_are_refused(net, changed, message):
    file, other = io.BytesIO(), io.BytesIO()
    net.save(file)
    tensors, metadata = model_file.read(file.getvalue(), "table")
    metadata.pop("sha256")
    table = {**metadata["table"], **changed}
    model_file.write(other, tensors, {**metadata, "table": table})
    with pytest.raises(FormatError, match=message):
        rn.TabularNet.load(other.getvalue())


def test_validation_rows_are_a_table(net):
    fresh = rn.TabularNet(LAYERS)
    history = fresh.fit(TABLE, Y, validation_data=(TABLE, Y), epochs=1, verbose=0)
    assert len(history.history["val_loss"]) == 1
    bad = {"color": COLORS, "size": np.full(N, np.nan)}
    message = (
        r"^validation_data\[0\]: column 'size': expected finite numbers, got nan in row 0"
    )
    with pytest.raises(ValueError, match=message):
        fresh.fit(TABLE, Y, validation_data=(bad, Y), verbose=0)


def test_seeds_and_threads_decide_the_bits_and_nothing_else():
    weights = []
    for threads in (1, 2):
        net = rn.TabularNet(LAYERS, seed=5)
        net.fit(TABLE, Y, epochs=1, threads=threads, verbose=0)
        weights.append(net.network.get_weights().tobytes())
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("categorical", "message"),
    [
        ("color", r"got one str; use \['color'\]"),
        (None, "got None"),
        (5, "got 5"),
        ([["a"]], r"got \['a'\] among them"),
        ([True], "got True among them"),
    ],
)
def test_what_names_no_columns_is_refused(categorical, message):
    with pytest.raises(
        TypeError, match=f"^categorical: expected names of columns, {message}$"
    ):
        rn.TabularNet(LAYERS, categorical=categorical)


def test_what_is_refused():
    net = rn.TabularNet(LAYERS)
    with pytest.raises(
        AttributeError, match="^network: the table is not known yet; call fit"
    ):
        net.predict(TABLE)
    with pytest.raises(TypeError, match=r"^seed: expected an integer, got 'x'$"):
        rn.TabularNet(LAYERS, seed="x")
    with pytest.raises(
        ValueError, match="^embedding_dim: expected an integer of at least 1"
    ):
        rn.TabularNet(LAYERS, embedding_dim=0)
    with pytest.raises(ValueError, match="^x: expected the 2 columns .* missing 'size'$"):
        fitted = rn.TabularNet(LAYERS)
        fitted.adapt(TABLE)
        fitted.predict({"color": COLORS})
    with pytest.raises(
        ValueError, match="^x: column 'id': expected at most 10000 categories"
    ):
        net.fit({"id": [f"{i}" for i in range(10_001)]}, np.zeros(10_001, int))
    assert not net.is_fitted


class Refusing(rn.Callback):
    """Raises before anything is trained, or after a batch."""

    def __init__(self, hook):
        setattr(self, hook, self._refuse)

    def _refuse(self, *given):
        raise ValueError("refused by a callback")


OTHER = {"color": RNG.choice(["violet", "white"], N)}
REFUSED = {
    "labels": (Y + 9, {}),
    "an option": (Y, {"epochs": 0}),
    "a validation table": (Y, {"validation_data": ({"size": SIZES}, Y)}),
    "a callback": (Y, {"callbacks": [Refusing("on_train_begin")]}),
}


@pytest.mark.parametrize(("y", "options"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("is_adapted", [False, True])
def test_a_fit_that_is_refused_leaves_no_categories(y, options, is_adapted):
    nets = [rn.TabularNet(LAYERS), rn.TabularNet(LAYERS)]
    if is_adapted:
        for net in nets:
            net.adapt(TABLE)
    with pytest.raises(ValueError, match="expected|refused"):
        nets[0].fit(TABLE if is_adapted else OTHER, y, verbose=0, **options)
    assert nets[0].is_fitted == is_adapted
    for net in nets:
        net.fit(TABLE, Y, epochs=2, verbose=0)
    assert nets[0].code == nets[1].code
    assert nets[0](TABLE).tobytes() == nets[1](TABLE).tobytes()


def test_a_fit_that_ends_in_training_keeps_its_net():
    net = rn.TabularNet(LAYERS)
    with pytest.raises(ValueError, match="refused by a callback"):
        net.fit(TABLE, Y, verbose=0, callbacks=[Refusing("on_epoch_end")])
    assert net.network.training_state.steps > 0


def test_a_callback_of_the_first_fit_may_predict():
    net, seen = rn.TabularNet(LAYERS), []
    watch = rn.LambdaCallback(on_train_begin=lambda _: seen.append(net.predict(TABLE)))
    net.fit(TABLE, Y, verbose=0, callbacks=[watch])
    assert len(seen[0]) == N


OPTIONS = {
    "categorical": ["zip"],
    "min_count": 2,
    "max_categories": 9,
    "seed": 7,
    "embedding_dim": 3,
}


def through_file(net):
    net.save(file := io.BytesIO())
    return rn.TabularNet.load(file.getvalue())


@pytest.mark.parametrize(
    "through",
    [through_file, copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))],
    ids=["file", "copy", "deepcopy", "pickle"],
)
def test_a_copy_adapts_as_the_net_that_it_is_of(through):
    net = rn.TabularNet(LAYERS, **OPTIONS)
    net.fit({"zip": [1, 2, 1, 2], "color": list("abba")}, [0, 1, 0, 1], verbose=0)
    other, table = through(net), {"zip": [3, 3, 4, 5, 5], "size": np.arange(5.0)}
    for one in (net, other):
        one.adapt(table)
    assert other.code == net.code
    assert other.code.categories == {"zip": (3, 5)}
    weights = [one.network.get_weights().tobytes() for one in (net, other)]
    assert weights[0] == weights[1]


def test_files_of_earlier_versions_have_no_options(net):
    net.save(file := io.BytesIO())
    tensors, metadata = model_file.read(file.getvalue(), "table")
    metadata.pop("sha256")
    for name in OPTIONS.keys() - {"embedding_dim"}:
        metadata["table"].pop(name)
    model_file.write(other := io.BytesIO(), tensors, metadata)
    loaded = rn.TabularNet.load(other.getvalue())
    assert (loaded.seed, loaded.min_count, loaded.categorical) == (1, 1, ())
    assert loaded(TABLE).tobytes() == net(TABLE).tobytes()


def test_a_first_fit_reads_each_column_once():
    class Words(list):
        reads = 0

        def to_numpy(self):
            self.reads += 1
            return np.array(self, object)

    words = Words(["a", "b", None, "a"])
    net = rn.TabularNet([rn.Dense(2)])
    net.fit({"word": words, "size": [1.0, 2.0, 3.0, 4.0]}, [0, 1, 0, 1], verbose=0)
    assert words.reads == 1
    assert net.code.categories == {"word": ("a", "b")}
