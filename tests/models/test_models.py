"""The reference's models and what all training calls share, on a few generated digits."""

import json

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import schedules, training
from rnn_native.net.model_file import read
from rnn_native.training.holding_out import Split
from rnn_native.training.recipe import Recipe
from rnn_native.training.run_checks import row_weights

TRAINERS = [rn.train_mlp, rn.train_cnn, rn.train_attention]


def test_parameter_counts_are_those_of_the_reference():
    counts = []
    for layers, shape in [
        (rn.models.MLP_LAYERS, (784,)),
        (rn.models.CNN_LAYERS, (1, 28, 28)),
        (rn.models.attention_layers(), (1, 28, 28)),
        (rn.models.attention_layers(16, 32), (1, 28, 28)),
    ]:
        counts.append(rn.Network(layers, shape).params.size)
    assert counts == [407_050, 15_770, 33_930, 3_114]


def test_initial_limits_are_those_of_the_reference():
    parameters = rn.Network(rn.models.attention_layers(), (1, 28, 28), seed=42).parameters
    limits = [0.273861, 0.216506, 0.216506, 0.216506, 0.176777, 0.176777, 0.284747]
    weights = [p for name, p in parameters.items() if name.endswith("weight")]
    for weight, limit in zip(weights, limits, strict=True):
        assert limit * 0.95 < np.abs(weight).max() <= limit * (1 + 1e-5)
    assert weights[0].flat[0] == pytest.approx(
        -limits[0], abs=1e-6
    )  # seed 42 begins at -limit


def test_sinusoidal_table_has_the_recorded_statistics():
    table = rn.Network(rn.models.attention_layers(), (1, 28, 28)).parameters[
        "layers.1.table"
    ]
    assert (round(float(table.min()), 3), round(float(table.max()), 3)) == (-1.0, 1.0)
    assert float(table.mean()) == pytest.approx(0.391, abs=5e-4)


@pytest.mark.parametrize("train", TRAINERS)
def test_every_model_learns(digits, train):
    result = train(digits, epochs=6, lr=0.05, verbose=0)
    losses = result.history.history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("train", TRAINERS)
def test_bits_do_not_depend_on_threads(digits, train):
    weights = {
        train(digits, epochs=1, threads=t, verbose=0).model.weights.tobytes()
        for t in (1, 2, 3, 8)
    }
    assert len(weights) == 1


@pytest.mark.parametrize("train", TRAINERS)
def test_row_alone_equals_row_in_batch(digits, train):
    _, (x, _) = digits
    model = train(digits, epochs=1, verbose=0).model
    together = model.predict_proba(x)
    for i in (0, 57, 199):
        assert model.predict_proba(x[i : i + 1]).tobytes() == together[i : i + 1].tobytes()


OPTIONS = [
    {"optimizer": "adam", "lr": 1e-3},
    {"optimizer": {"type": "adamw", "weight_decay": 0.1}, "lr": 1e-3},
    {"optimizer": {"type": "sgd", "momentum": 0.9, "nesterov": True}, "clip_norm": 1.0},
    {"schedule": schedules.Warmup(schedules.OneCycle(0.1, 4), epochs=1)},
    {"schedule": schedules.Plateau(0.1, patience=1, min_delta=10.0)},
    {"label_smoothing": 0.1, "class_weight": "balanced"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: ", ".join(o))
def test_resumed_run_equals_uninterrupted_run(digits, tmp_path, options):
    common = {"data": digits, "patience": None, "verbose": 0, **options}
    whole = rn.train_mlp(epochs=4, out=tmp_path / "whole", **common)
    rn.train_mlp(epochs=2, out=tmp_path / "parts", **common)
    rn.train_mlp(epochs=4, out=tmp_path / "parts", resume=True, **common)
    one, two = (
        read(tmp_path / name / "last.safetensors")[0] for name in ("whole", "parts")
    )
    assert {k: v.tobytes() for k, v in one.items()} == {
        k: v.tobytes() for k, v in two.items()
    }
    plain = rn.train_mlp(digits, epochs=4, patience=None, verbose=0)
    assert whole.model.params.tobytes() != plain.model.params.tobytes(), (
        "the option did nothing"
    )


def test_dropout_and_batchnorm_resume_with_their_masks_and_statistics(digits, tmp_path):
    layers = [rn.Dense(32, "relu"), rn.BatchNorm(), rn.Dropout(0.4), rn.Dense(10)]
    options = {"patience": None, "verbose": 0}

    def train(epochs, folder, **more):
        return rn.models.train_layers(
            "own",
            layers,
            (784,),
            digits,
            {"epochs": epochs, "out": folder, **options, **more},
        )

    whole = train(4, tmp_path / "whole")
    train(1, tmp_path / "parts")
    parts = train(4, tmp_path / "parts", resume=True)
    assert whole.model.weights.tobytes() == parts.model.weights.tobytes()
    again = rn.load(tmp_path / "whole" / "best.safetensors")
    _, (x, y) = digits
    assert again.evaluate(x, y) == whole.model.evaluate(x, y)
    assert whole.model.state["layers.1.running_mean"].any()


def test_schedule_sets_the_rates_of_the_history(digits):
    schedule = schedules.StepDecay(0.1, step_size=2, gamma=0.5)
    result = rn.train_mlp(digits, epochs=4, schedule=schedule, patience=None, verbose=0)
    assert result.history.history["learning_rate"] == [0.1, 0.1, 0.05, 0.05]


def test_recipe_survives_json():
    import json

    recipe = Recipe(
        schedule=schedules.Warmup(schedules.Plateau(0.1), steps=5), class_weight=[1, 2]
    )
    again = Recipe(**json.loads(json.dumps(recipe.as_dict())))
    assert recipe.differences(again) == []
    assert again.differences(Recipe(schedule=schedules.Constant(0.1), class_weight=[1, 2]))


def test_unknown_options_are_named(digits):
    with pytest.raises(TypeError, match="unknown argument: batchsize"):
        rn.train_mlp(digits, batchsize=3)
    with pytest.raises(ValueError, match="^label_smoothing: expected a value in"):
        rn.train_mlp(digits, label_smoothing=1.0)
    with pytest.raises(
        ValueError,
        match="^optimizer.type: expected one of sgd, adam, adamw, rmsprop, got 'rms'",
    ):
        rn.train_mlp(digits, optimizer="rms")


# ---- class weights ----


def test_a_run_is_not_overwritten_unasked(digits, tmp_path):
    options = {"epochs": 1, "out": tmp_path, "verbose": 0}
    rn.train_mlp(digits, **options)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls = [
        lambda **more: rn.train_mlp(digits, lr=0.5, **options, **more),
        lambda **more: rn.train(
            [rn.Dense(10)], digits, input_shape=(784,), **options, **more
        ),
        lambda **more: rn.train_xor(**options, **more),
    ]
    for call in calls:
        with pytest.raises(
            FileExistsError, match="resume=True .* overwrite=True .* another"
        ):
            call()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(ValueError, match="^overwrite: the run is to be resumed"):
        rn.train_mlp(digits, resume=True, overwrite=True, **options)
    for call in calls:
        call(overwrite=True)
        config = json.loads((tmp_path / "config.json").read_text())
        best = rn.load(tmp_path)
        assert best.architecture() == config["architecture"]
    assert not (tmp_path / "last.safetensors").exists()  # of the run that XOR replaced


@pytest.mark.parametrize(
    "name", ["best.safetensors", "last.safetensors", "log.csv", "config.json"]
)
def test_any_file_that_a_run_writes_is_kept(tmp_path, name):
    (tmp_path / name).write_text("somebody's")
    with pytest.raises(FileExistsError, match=name):
        rn.train_xor(epochs=1, out=tmp_path, verbose=0)
    assert (tmp_path / name).read_text() == "somebody's"


def weights_for(y, class_weight, classes=3):
    y = np.array(y, np.int32)
    return row_weights(Split(np.zeros((len(y), 1), np.float32), y), class_weight, classes)


def test_balanced_weights_are_those_of_scikit_learn():
    """n / (classes * n_c): 4 / (2 * 3) and 4 / (2 * 1)."""
    np.testing.assert_allclose(weights_for([0, 0, 0, 1], "balanced"), [2 / 3] * 3 + [2])
    np.testing.assert_allclose(weights_for([0, 2, 2, 2], "balanced"), [2] + [2 / 3] * 3)


def test_given_class_weights():
    assert weights_for([0, 1, 1], None) is None
    np.testing.assert_allclose(weights_for([0, 1, 1], [1, 5, 9]), [1, 5, 5])
    for bad in ([1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(ValueError, match="^class_weight: expected 2 weights, one for"):
            weights_for([0, 1], bad, classes=2)
    for bad in ([1.0, -1.0], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="^class_weight: expected finite weights"):
            weights_for([0, 1], bad, classes=2)


def test_weight_two_is_the_row_twice(digits):
    """In one batch, doubling a class' weight is repeating its rows, up to the mean's n."""
    (x, y), _ = digits
    x, y = x[:60].reshape(60, 784), y[:60].astype(np.int32)
    twice = np.concatenate([np.arange(60), np.flatnonzero(y == 3)])
    net = rn.Network([rn.Dense(10)], (784,)).native
    weights = np.where(y == 3, 2, 1).astype(np.float32)
    loss, weighted = net.gradients(x, y, weights=weights)
    repeated_loss, repeated = net.gradients(x[twice].copy(), y[twice].copy())
    assert loss == pytest.approx(repeated_loss, rel=1e-6)
    np.testing.assert_allclose(weighted * 60, repeated * len(twice), rtol=1e-4, atol=1e-4)


def test_sample_weights_choose_what_is_learnt(digits):
    """Rows of weight 0 might as well not be there: labels may be nonsense."""
    (x, y), _ = digits
    wrong = np.where(np.arange(640) < 320, (y + 1) % 10, y)
    weights = np.where(np.arange(640) < 320, 0, 1)

    def accuracy(**options):
        net = rn.Network([rn.Dense(10)], (784,))
        net.fit(x, wrong, epochs=40, lr=0.1, batch_size=16, verbose=0, **options)
        return net.evaluate(x[:320], y[:320])[1]

    assert accuracy(sample_weight=weights) > 0.6 > 0.3 > accuracy(sample_weight=1 - weights)


def test_sample_weights_are_split_with_their_rows():
    y = np.array([0] * 5 + [1] * 5, np.int32)
    weights = np.arange(10, dtype=np.float32)
    split = training.split(y[:, None], y, 0.4, weights=weights)
    assert split.weights.tolist() == [0, 1, 2, 3, 4, 5]
    split = training.split(y[:, None], y, 0.4, stratify=True, weights=weights)
    assert split.weights.tolist() == [0, 1, 2, 5, 6, 7]


def test_bad_sample_weights(digits):
    (x, y), _ = digits
    net = rn.Network([rn.Dense(10)], (784,))
    for bad in (np.ones(3), np.full(640, -1.0), np.full(640, np.nan), ["a"] * 640):
        with pytest.raises(ValueError, match="^sample_weight: expected"):
            net.fit(x, y, sample_weight=bad, verbose=0)


# ---- MNIST ----


@pytest.mark.slow
def test_cnn_and_attention_reach_the_reference_on_mnist(mnist):
    assert rn.train_cnn(mnist, verbose=0).test_accuracy >= 0.919
    assert rn.train_attention(mnist, verbose=0).test_accuracy >= 0.88


# ---- data in the forms that people try ----

SPLIT = (np.zeros((20, 784), np.uint8), np.arange(20) % 10)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (SPLIT, r"\(shape \(20, 784\), shape \(20,\)\)"),
        (list(SPLIT), r"\(shape \(20, 784\), shape \(20,\)\)"),
        (SPLIT[:1], r"\(shape \(20, 784\)\)"),
        ((*SPLIT, *SPLIT), r"\(shape \(20, 784\), shape \(20,\), shape \(20, 784\), .*"),
        (SPLIT[0], r"one array of shape \(20, 784\)"),
        ({"x": SPLIT[0]}, "dict"),
        ((SPLIT, SPLIT, SPLIT), r"\(\.\.\., \.\.\., \.\.\.\)"),
        (SPLIT[0].tolist(), "a list of 20"),
        (5, "int"),
    ],
)
def test_data_without_a_test_set_say_what_is_expected(data, found):
    expected = r"data: expected a path, a data set's name or \(\(x, y\), .*, got "
    expected += rf"{found}; hold rows"
    with pytest.raises(TypeError, match=expected):
        rn.train_mlp(data)
    with pytest.raises(TypeError, match=expected):
        rn.train([rn.Dense(10)], data, input_shape=(784,))


@pytest.mark.parametrize(
    "data",
    [
        (SPLIT, SPLIT),
        [list(SPLIT), list(SPLIT)],
        rn.datasets.Dataset(*SPLIT, *SPLIT, "given arrays"),
    ],
)
def test_data_with_a_test_set_in_any_form(data):
    result = rn.train_mlp(data, epochs=1, verbose=0)
    expected = rn.train_mlp((SPLIT, SPLIT), epochs=1, verbose=0)
    assert result.model.weights.tobytes() == expected.model.weights.tobytes()
    assert result.test_accuracy == expected.test_accuracy


@pytest.mark.parametrize(("n", "held"), [(3, 1), (20, 4), (9000, 1000)])
def test_the_hint_on_a_test_set_fits_the_rows(n, held):
    x, y = np.zeros((n, 784), np.float32), np.arange(n) % 10
    for data in ((x, y), (x.tolist()[:n], y), x):
        with pytest.raises(TypeError, match=rf"\(\(x\[:-{held}\], y\[:-{held}\]\), \(x\["):
            rn.train_mlp(data)


def test_frames_are_taken_as_fit_takes_them():
    pd = pytest.importorskip("pandas")
    x = np.random.default_rng(0).integers(0, 256, (30, 4)).astype(np.uint8)
    y = np.arange(30) % 3
    frame = pd.DataFrame(x, dtype="UInt8")
    result = rn.train(
        [rn.Dense(3)], ((frame, pd.Series(y)), (x, y)), input_shape=(4,), verbose=0
    )
    assert result.model.input_dtype == "uint8"


def test_an_older_run_stays_when_a_callback_refuses_the_new_one(digits, tmp_path):
    (x, y), test = digits
    data = ((x[:20], y[:20]), test)
    rn.train_mlp(data, epochs=1, lr=0.05, out=tmp_path, verbose=0)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"best.safetensors", "last.safetensors", "log.csv", "config.json"}
    refused = rn.EarlyStopping("val_nothing", mode="max")
    for more in ({"overwrite": True, "epochs": 3}, {"resume": True, "epochs": 1}):
        with pytest.raises(ValueError, match="val_nothing"):
            rn.train_mlp(data, lr=0.05, out=tmp_path, callbacks=refused, verbose=0, **more)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_test_rows_are_converted_once(digits, monkeypatch):
    from rnn_native.net import predictor

    asked = []
    for name in ("as_rows", "as_targets"):
        function = getattr(predictor, name)

        def noting(values, *more, function=function, **options):
            asked.append(len(values))
            return function(values, *more, **options)

        monkeypatch.setattr(predictor, name, noting)
    (x, y), (x_test, y_test) = digits
    data = ((x[:20], y[:20]), (x_test[:7], y_test[:7]))
    result = rn.train_mlp(data, epochs=1, verbose=0)
    assert asked == [20, 20, 7, 7]
    assert result.test_loss == result.model.evaluate(x_test[:7], y_test[:7]).loss
