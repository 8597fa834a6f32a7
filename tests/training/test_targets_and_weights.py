"""Targets, row weights, class weights and validation rows at the edge of `Network`."""

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.training.class_weights import plain_class_weight, row_weights_of_classes
from rnn_native.training.recipe import Recipe

pd = pytest.importorskip("pandas")

RNG = np.random.default_rng(7)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 60)
FLAGS = (X[:, 0] > 0.3).astype(int)


def classifier():
    return rn.Network([rn.Dense(6, "tanh"), rn.Dense(3)], (4,))


def one_output():
    return rn.Network([rn.Dense(6, "tanh"), rn.Dense(1)], (4,), "sigmoid_cross_entropy")


def weights_after(net, x=X, y=Y, **options):
    net.fit(x, y, epochs=2, lr=0.1, verbose=0, **options)
    return net.weights.tobytes()


# ---- targets ----


@pytest.mark.parametrize(
    "y",
    [
        Y[:, None],
        Y.tolist(),
        pd.Series(Y),
        pd.Series(Y, dtype="Int64"),
        pd.DataFrame({"label": Y}),
        Y.astype(object),
    ],
)
def test_labels_of_every_usual_form(y):
    assert weights_after(classifier(), y=y) == weights_after(classifier())


@pytest.mark.parametrize(
    "y", [FLAGS > 0, (FLAGS > 0)[:, None], pd.Series(FLAGS, dtype="boolean")]
)
def test_flags_are_the_classes_0_and_1(y):
    assert weights_after(classifier(), y=y) == weights_after(classifier(), y=FLAGS)
    assert weights_after(one_output(), y=y) == weights_after(one_output(), y=FLAGS)


@pytest.mark.parametrize(
    "y",
    [
        ["cat", "dog"] * 30,
        np.array(["cat", "dog"] * 30, object),
        pd.Series(["cat", "dog"] * 30),
        pd.Series(["cat", "dog"] * 30, dtype="category"),
    ],
)
@pytest.mark.parametrize("net", [classifier, one_output])
def test_strings_are_refused_with_what_to_do(y, net):
    with pytest.raises(
        TypeError, match=r"y: expected numbers, got .*np\.unique\(y, return_inverse=True\)"
    ):
        net().fit(X, y)
    with pytest.raises(TypeError, match=r"rnn_native\.sklearn"):
        net().evaluate(X, y)


def test_whole_floats_are_refused_with_what_to_do():
    with pytest.raises(
        TypeError, match=r"integer labels, got float64; use y\.astype\(int\)"
    ):
        classifier().fit(X, Y.astype(float))
    with pytest.raises(TypeError, match=r"integer labels, got float64$"):
        classifier().fit(X, Y + 0.5)
    missing = pd.Series(Y, dtype="Int64")
    missing[3] = pd.NA
    with pytest.raises(
        ValueError, match=r"integer labels, got a missing value .* at \[3\]"
    ):
        classifier().fit(X, missing)


@pytest.mark.parametrize(
    ("units", "y", "message"),
    [
        (1, FLAGS, r"in 0\.\.0, got 1 .*sigmoid_cross_entropy', or 2 units in the last"),
        (1, Y, r"in 0\.\.0, got . .*: use 3 units in the last layer"),
        (3, Y + 1, r"in 0\.\.2, got 3 at .*; labels count from 0: use y - 1$"),
        (3, Y * 2, r"in 0\.\.2, got 4 at \[\d+\]$"),
    ],
)
def test_labels_beyond_the_outputs_are_refused_with_what_to_do(units, y, message):
    with pytest.raises(ValueError, match=f"y: expected labels {message}"):
        rn.Network([rn.Dense(units)], (4,)).fit(X, y)


# ---- rows of frames ----


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(X),
        pd.DataFrame(X).astype("Float32"),
        pd.DataFrame(X).astype("Float64"),
        pd.DataFrame(X).astype(object),
        pd.DataFrame(X).astype({0: "Float64", 1: object}),
    ],
)
def test_rows_of_frames(frame):
    assert weights_after(classifier(), frame) == weights_after(classifier())


def test_sparse_columns_are_columns():
    kinds = pd.Series(np.array(["ash", "elm", "oak", "yew"])[RNG.integers(0, 4, 60)])
    one, other = (pd.get_dummies(kinds, sparse=sparse) for sparse in (True, False))
    assert weights_after(classifier(), one) == weights_after(classifier(), other)
    mixed = pd.DataFrame(X).astype({2: "Sparse[float32]"})
    assert weights_after(classifier(), mixed) == weights_after(classifier())
    labels = pd.Series(Y).astype("Sparse[int]")
    assert weights_after(classifier(), y=labels) == weights_after(classifier())
    weights = pd.Series(FLAGS + 1).astype("Sparse[int]")
    expected = weights_after(classifier(), sample_weight=FLAGS + 1)
    assert weights_after(classifier(), sample_weight=weights) == expected


def test_columns_of_several_types_are_numbers():
    frame = pd.DataFrame({"a": X[:, 0], "b": FLAGS > 0, "c": Y, "d": pd.array(Y, "Int64")})
    plain = np.column_stack([X[:, 0], FLAGS, Y, Y]).astype(float)
    assert weights_after(classifier(), frame) == weights_after(classifier(), plain)
    mixed = pd.DataFrame({"a": Y.astype(np.uint8), "b": FLAGS > 0, "c": FLAGS > 0, "d": Y})
    numbers = np.column_stack([Y, FLAGS, FLAGS, Y])
    assert weights_after(classifier(), mixed) == weights_after(classifier(), numbers)
    two = mixed.assign(d=FLAGS > 0)
    net = classifier()
    net.fit(two, Y, verbose=0)
    assert net.input_dtype == "float", "booleans beside bytes are not divided by 255"


@pytest.mark.parametrize("dtype", ["uint8", "UInt8", "Sparse[uint8]"])
def test_a_frame_of_bytes_is_bytes(dtype):
    pixels = RNG.integers(0, 256, (60, 4)).astype(np.uint8)
    net = classifier()
    assert weights_after(net, pd.DataFrame(pixels).astype(dtype)) == weights_after(
        classifier(), pixels
    )
    assert net.input_dtype == "uint8"


def test_missing_values_and_words_say_where():
    frame = pd.DataFrame(X).astype("Float64")
    frame.iloc[5, 2] = pd.NA
    with pytest.raises(ValueError, match=r"x: expected finite .*, got nan at \[5, 2\]"):
        classifier().fit(frame, Y)
    rows = X.astype(object)
    rows[4, 1] = None
    with pytest.raises(ValueError, match=r"x: expected finite .*, got nan at \[4, 1\]"):
        classifier().fit(rows, Y)
    rows[4, 1] = "red"
    with pytest.raises(TypeError, match=r"x: expected numbers, got 'red' at \[4, 1\]; enc"):
        classifier().fit(rows, Y)
    dates = pd.DataFrame({c: pd.date_range("2020", periods=60) for c in "abcd"})
    with pytest.raises(TypeError, match="x: expected .*, got datetime64"):
        classifier().fit(dates, Y)
    dates = dates.assign(a=1.0)
    with pytest.raises(
        TypeError, match=r"x: expected numbers, got Timestamp.* at \[0, 1\]"
    ):
        classifier().fit(dates, Y)


def test_masked_values_are_not_taken_for_numbers():
    x = np.ma.masked_array(X, np.arange(X.size).reshape(X.shape) < 2)
    with pytest.raises(ValueError, match="x: expected no masked values, got 2"):
        classifier().fit(x, Y)


def test_rows_of_several_lengths():
    with pytest.raises(
        ValueError, match="x: expected an array of numbers: .*inhomogeneous"
    ):
        classifier().fit([[1.0, 2.0], [1.0]], [0, 1])


# ---- weights of rows ----


@pytest.mark.parametrize(
    "weights",
    [
        (FLAGS > 0),
        (FLAGS > 0)[:, None],
        FLAGS.tolist(),
        pd.Series(FLAGS, index=range(100, 160)),
        pd.Series(FLAGS, dtype="boolean"),
        pd.Series(FLAGS, dtype="Float64"),
    ],
)
def test_row_weights_of_every_usual_form(weights):
    expected = weights_after(classifier(), sample_weight=FLAGS.astype(np.float32))
    assert weights_after(classifier(), sample_weight=weights) == expected


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(59), r"sample_weight: expected 60 numbers, got float64 of shape \(59,\)"),
        (np.ones((60, 2)), r"of shape \(60, 2\)"),
        (np.zeros(60), "sample_weight: expected a weight above 0, got 60 that are 0"),
        (np.full(60, 1e-50), "expected a weight above 0, got 60 that are 0 in float32"),
        (-np.ones(60), r"weights of at least 0, got -1.0 at \[0\]"),
        (np.where(np.arange(60) == 7, np.nan, 1), r"got nan at \[7\]"),
    ],
)
def test_bad_row_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, Y, sample_weight=weights)


def test_weights_of_rows_that_nothing_is_trained_on_are_checked_as_well():
    with pytest.raises(ValueError, match="sample_weight: .* got 60 that are 0 in float32"):
        classifier().evaluate(X, Y, sample_weight=np.full(60, 1e-50))
    with pytest.raises(
        ValueError, match=r"validation_data\[2\]: .* got 60 that are 0 in float32"
    ):
        classifier().fit(X, Y, validation_data=(X, Y, np.full(60, 1e-50)))


def test_rows_that_all_weigh_nothing_train_nothing():
    """The held-out rows have the only weights."""
    weights = np.r_[np.zeros(54), np.ones(6)]
    with pytest.raises(
        ValueError, match="expected one above 0 among the rows to train on, got zeros"
    ):
        classifier().fit(X, Y, sample_weight=weights, validation_split=0.1)
    with pytest.raises(
        ValueError, match="expected one above 0 among the rows to train on, got zeros"
    ):
        classifier().fit(X, Y, class_weight=[0, 0, 0])


# ---- weights of classes ----


def test_class_weights_by_hand():
    y = np.array([0, 0, 0, 2], np.int32)
    found = row_weights_of_classes("balanced", y, 3)
    # As scikit-learn's compute_class_weight of the classes present: n / (2 n_c).
    np.testing.assert_allclose(found, [4 / 6, 4 / 6, 4 / 6, 2])
    assert row_weights_of_classes({2: 5}, y, 3).tolist() == [1, 1, 1, 5]
    assert row_weights_of_classes([1, 2, 3], y, 3).tolist() == [1, 1, 1, 3]
    flags = np.array([[0], [1], [1], [1]], np.float32)
    assert row_weights_of_classes({1: 3}, flags, 1).tolist() == [1, 3, 3, 3]
    assert row_weights_of_classes("balanced", flags, 1).tolist() == [2, 2 / 3, 2 / 3, 2 / 3]


@pytest.mark.parametrize(
    "given",
    [
        {0: 1, 1: 2.5, 2: 1},
        {1: 2.5},
        {np.int64(1): np.float32(2.5)},
        [1, 2.5, 1],
        (1.0, 2.5, 1.0),
        np.array([1, 2.5, 1]),
        pd.Series([1, 2.5, 1]),
        pd.Series({2: 1, 1: 2.5, 0: 1}),
        pd.Series({1.0: 2.5}),
        {True: 2.5, False: 1},
    ],
)
def test_class_weights_are_row_weights(given):
    rows = np.where(Y == 1, 2.5, 1)
    expected = weights_after(classifier(), sample_weight=rows)
    assert weights_after(classifier(), class_weight=given) == expected


def test_a_series_of_class_weights_goes_by_its_index():
    y = pd.Series(np.repeat([0, 1, 2], [10, 30, 20]))
    counts = y.value_counts()  # the most frequent class first
    expected = weights_after(classifier(), y=y, class_weight="balanced")
    given = len(y) / (3 * counts)
    assert weights_after(classifier(), y=y, class_weight=given) == expected
    assert Recipe(class_weight=given) == Recipe(class_weight=given.to_dict())


@pytest.mark.filterwarnings("error")
def test_weights_whose_product_is_beyond_float32():
    with pytest.raises(ValueError, match=r"class_weight times sample_weight: expected"):
        classifier().fit(X, Y, class_weight=[1e30] * 3, sample_weight=np.full(60, 1e30))


@pytest.mark.parametrize("given", [{1: 4}, [1, 4], np.array([1, 4.0])])
@pytest.mark.parametrize("y", [FLAGS, FLAGS.astype(float)[:, None], FLAGS > 0])
def test_class_weights_of_one_output(given, y):
    expected = weights_after(one_output(), y=FLAGS, sample_weight=1 + 3 * FLAGS)
    assert weights_after(one_output(), y=y, class_weight=given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1, 2], "expected 3 weights, one for each class, got 2"),
        ([1, 2, 3, 4], "expected 3 weights, one for each class, got 4"),
        (np.ones((3, 1)), r"one weight for each class, got shape \(3, 1\)"),
        (pd.DataFrame({0: [1.0]}), r"one weight for each class, got shape \(1, 1\)"),
        ({3: 1.0}, r"expected classes in 0\.\.2, got 3"),
        ({-1: 1.0}, "integers from 0, as keys, got -1"),
        ({"cat": 1.0}, "integers from 0, as keys, got 'cat'"),
        ({0.5: 1.0}, "integers from 0, as keys, got 0.5"),
        ({1: 1.0, "1": 2.0}, "expected each class once, got 1 1 and 2"),
        (pd.Series([1.0, 2.0], index=[1, 1]), "expected each class once, got 1"),
        ({0: -1.0}, "finite weights of at least 0, got -1.0"),
        ([1, 1e39, 1], r"finite weights of at least 0, got 1e\+39"),
        ({0: 1j}, "finite weights of at least 0, got 1j"),
        ({0: float("nan")}, "finite weights of at least 0, got nan"),
        ([1, "2", 3], "finite weights of at least 0, got '1'"),
        ("balance", "expected 'balanced', a dict, or a list or array of weights, got 'bal"),
        (3.0, "expected 'balanced', a dict, or a list or array of weights, got 3.0"),
    ],
)
def test_bad_class_weights(given, message):
    with pytest.raises((ValueError, TypeError), match=f"class_weight: .*{message}"):
        classifier().fit(X, Y, class_weight=given)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "poisson"])
def test_label_smoothing_needs_labels(loss):
    net = rn.Network([rn.Dense(1)], (4,), loss)
    with pytest.raises(
        ValueError, match=f"label_smoothing: expected 0 under {loss}, whose"
    ):
        net.fit(X, FLAGS, label_smoothing=0.1)
    assert net.input_dtype is None


def test_class_weights_need_classes():
    with pytest.raises(ValueError, match="targets 0 and 1, got other values; use sample_w"):
        one_output().fit(X, FLAGS * 0.3, class_weight={1: 2})
    net = rn.Network([rn.Dense(2)], (4,), "squared_error")
    with pytest.raises(ValueError, match="got values of 2 outputs"):
        net.fit(X, X[:, :2], class_weight="balanced")


@pytest.mark.parametrize("name", ["lr", "l2", "mixup", "clip_norm"])
def test_recipes_have_real_numbers(name):
    assert getattr(Recipe(**{name: np.float32(0.5)}), name) == 0.5
    for wrong in (0.1j, np.complex64(0.1), "0.1", True, np.bool_(True)):
        with pytest.raises(TypeError, match=f"{name}: expected a number, got"):
            Recipe(**{name: wrong})


@pytest.mark.parametrize("given", [None, "balanced", {1: 2, 0: 1.5}, [1, 2.0], np.ones(2)])
def test_a_recipe_is_the_same_after_json(given):
    import json

    recipe = Recipe(class_weight=given)
    again = Recipe(**json.loads(json.dumps(recipe.as_dict())))
    assert recipe.differences(again) == []
    assert plain_class_weight(again.class_weight) == again.class_weight


# ---- validation rows ----


def test_validation_rows_may_have_weights():
    """Both the loss and the accuracy are weighted means of what single rows have."""
    net, w = classifier(), RNG.random(60)
    held_x, held_y = RNG.normal(size=(60, 4)), RNG.integers(0, 3, 60)
    history = net.fit(X, Y, validation_data=(held_x, held_y, w), verbose=0)
    p = net.predict_proba(held_x).astype(float)
    losses = -np.log(p[np.arange(60), held_y])
    assert history.rows[0].val_loss == pytest.approx(
        np.average(losses, weights=w), rel=1e-5
    )
    hits = p.argmax(axis=1) == held_y
    assert history.rows[0].val_accuracy == pytest.approx(
        np.average(hits, weights=w), rel=1e-6
    )


def test_weights_decide_which_epoch_is_best():
    """Rows of weight 0 do not count: as if they were not there."""
    held_x, held_y = RNG.normal(size=(200, 4)), RNG.integers(0, 3, 200)
    w = np.repeat([1.0, 0.0], 100)
    found = [
        weights_after(classifier(), validation_data=data)
        for data in [(held_x, held_y, w), (held_x[:100], held_y[:100])]
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("n", [1, 2, 127, 128, 129, 300])
def test_the_core_weighs_rows_of_every_block(n):
    net = classifier()
    x, y = (
        RNG.normal(size=(n, 4)).astype(np.float32),
        RNG.integers(0, 3, n).astype(np.int32),
    )
    w = RNG.random(n).astype(np.float32)
    ones = net.native.evaluate(x, y, weights=np.ones(n, np.float32))
    assert ones == net.native.evaluate(x, y)
    single = np.array([net.native.evaluate(x[i:][:1], y[i:][:1]) for i in range(n)])
    np.testing.assert_allclose(net.native.evaluate(x, y, weights=w), w @ single, rtol=1e-6)
    with pytest.raises(ValueError, match="evaluate: weights: expected"):
        net.native.evaluate(x, y, weights=np.ones(n + 1, np.float32))


@pytest.mark.parametrize("kind", [tuple, list])
def test_validation_rows_come_as_a_tuple_or_a_list(kind):
    expected = weights_after(classifier(), validation_data=(X, Y))
    assert weights_after(classifier(), validation_data=kind([X, Y])) == expected
    assert weights_after(classifier(), validation_data=kind([X, Y, None])) == expected


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((X,), ValueError, "got a tuple of length 1$"),
        ((X, Y, None, None), ValueError, "got a tuple of length 4$"),
        ((), ValueError, "got a tuple of length 0$"),
        ({"x": X, "y": Y}, TypeError, "got dict$"),
        (False, TypeError, "got bool$"),
        (X, TypeError, "got ndarray$"),
        ("xy", TypeError, "got str$"),
    ],
)
def test_other_validation_data_is_refused_with_what_is_expected(given, error, message):
    net = classifier()
    before = net.weights.tobytes()
    with pytest.raises(
        error, match=rf"validation_data: expected \(x, y\) or \(x, y, weights\), {message}"
    ):
        net.fit(X, Y, validation_data=given, verbose=0)
    assert net.weights.tobytes() == before


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((X[:, :3], Y), ValueError, r"validation_data\[0\]: expected shape \(n, 4\)"),
        ((X, Y[:5]), ValueError, r"validation_data\[1\]: expected 60 labels"),
        ((X, ["a"] * 60), TypeError, r"validation_data\[1\]: expected numbers"),
        ((X, Y, np.ones(5)), ValueError, r"validation_data\[2\]: expected 60 numbers"),
        (
            (X, Y, np.zeros(60)),
            ValueError,
            r"validation_data\[2\]: expected a weight above 0",
        ),
        ((None, None), ValueError, r"validation_data\[0\]: expected shape"),
    ],
)
def test_validation_data_is_named_in_messages(given, error, message):
    with pytest.raises(error, match=message):
        classifier().fit(X, Y, validation_data=given, verbose=0)


def test_one_validation_row_will_do():
    history = classifier().fit(X, Y, validation_data=(X[:1], Y[:1]), verbose=0)
    assert np.isfinite(history.rows[0].val_loss) and history.rows[0].val_accuracy in (0, 1)
