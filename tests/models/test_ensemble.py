"""Ensemble: the mean of single nets' answers, in float64, and files that keep all of it."""

import copy
import io
import pickle

import numpy as np
import pytest

import rnn_native as rn
from loss_twins import LOSSES
from rnn_native.net import model_file

N = 40


def nets(loss="softmax_cross_entropy", outputs=3, count=3, optimizer="sgd"):
    """Nets of different layers, whose answers differ much."""
    made = [
        rn.Network(
            [rn.Dense(5 + i, "tanh"), *([rn.BatchNorm()] if i == 1 else []), rn.Dense(outputs)],
            (4,),
            loss,
            seed=i + 1,
            optimizer=optimizer,
        )
        for i in range(count)
    ]  # fmt: skip
    for net in made:
        net.params[:] *= 2
    return made


def rows(rng, n=N):
    return rng.normal(size=(n, 4)).astype(np.float32)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", LOSSES)
def test_it_answers_with_the_mean_of_the_nets_answers(rng, loss, outputs):
    if loss == "softmax_cross_entropy" and outputs == 1:
        outputs = 2
    members, x = nets(loss, outputs), rows(rng)
    ensemble = rn.Ensemble(members)
    expected = np.mean([net.predict_proba(x).astype(np.float64) for net in members], axis=0)
    got = ensemble.predict_proba(x)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)
    assert ensemble(x).tobytes() == got.tobytes()
    assert ensemble.predict_proba(x, batch_size=7).tobytes() == got.tobytes()
    answers = ensemble.predict(x)
    assert answers.shape == members[0].predict(x).shape
    if loss == "softmax_cross_entropy":
        np.testing.assert_array_equal(answers, expected.argmax(axis=1))
    elif loss == "sigmoid_cross_entropy":
        np.testing.assert_array_equal(answers.reshape(got.shape), expected >= 0.5)
    else:
        np.testing.assert_array_equal(answers.reshape(got.shape), got)


def outputs_for(predictions, loss):
    """Outputs of a last layer that give these predictions, in float64."""
    if loss == "softmax_cross_entropy":
        return np.log(predictions)
    if loss == "sigmoid_cross_entropy":
        return np.log(predictions) - np.log1p(-predictions)
    return np.log(predictions) if loss == "poisson" else predictions


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_scores_are_those_of_the_mean(rng, loss, weighted):
    members, x, n = nets(loss), rows(rng), N
    twin = LOSSES[loss]
    targets = twin.targets(rng, n, 3)
    weights = rng.uniform(0.1, 2, n).astype(np.float32) if weighted else None
    ensemble = rn.Ensemble(members)
    found = ensemble.evaluate(x, targets, sample_weight=weights)
    mean = np.mean([net.predict_proba(x).astype(np.float64) for net in members], axis=0)
    each, _ = twin.rows(outputs_for(mean, loss), targets)
    assert found.loss == pytest.approx(np.average(each, weights=weights), rel=2e-6)
    if loss == "softmax_cross_entropy":
        hits = mean.argmax(axis=1) == targets
        assert found.accuracy == pytest.approx(np.average(hits, weights=weights))
    as_dict = ensemble.evaluate(x, targets, sample_weight=weights, return_dict=True)
    assert as_dict == found._asdict()


def test_the_loss_is_that_of_probabilities_which_float32_has_not():
    """Nets that are sure of the wrong class, by so much that float32 gives 0."""
    members = nets(count=2)
    for net, gap in zip(members, (200, 300), strict=True):
        net.params[:] = 0
        list(net.parameters.values())[-1][:] = [gap, 0, 0]
    ensemble = rn.Ensemble(members)
    assert ensemble.predict_proba(np.zeros((1, 4)))[0].tolist() == [1, 0, 0]
    loss, accuracy = ensemble.evaluate(np.zeros((1, 4)), [1])
    assert loss == pytest.approx(200 + np.log(2), rel=1e-6)
    assert accuracy == 0


def test_its_loss_is_at_most_the_mean_of_the_nets_losses(rng):
    members, x, y = nets(), rows(rng), rng.integers(0, 3, N)
    alone = np.mean([net.evaluate(x, y).loss for net in members])
    assert rn.Ensemble(members).evaluate(x, y).loss < alone


def test_one_net_is_an_ensemble_that_answers_as_it(rng):
    (net,), x = nets(count=1), rows(rng)
    assert rn.Ensemble([net]).predict_proba(x).tobytes() == net.predict_proba(x).tobytes()


def test_bits_depend_neither_on_threads_nor_on_rows(rng):
    ensemble, x = rn.Ensemble(nets()), rows(rng, 3000)
    expected = ensemble.predict_proba(x, threads=1)
    for threads in (2, 3):
        assert ensemble.predict_proba(x, threads=threads).tobytes() == expected.tobytes()
    for i in (0, 17, 2999):
        alone = ensemble.predict_proba(x[i : i + 1])
        assert alone.tobytes() == expected[i : i + 1].tobytes()


def test_it_takes_what_fit_many_trained(rng):
    x = rows(rng, 300)
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    members = nets(outputs=2, optimizer="adam")
    rn.fit_many(members, x, y, epochs=5, each=[{"lr": lr} for lr in (0.01, 0.02, 0.03)])
    assert rn.Ensemble(members).evaluate(x, y).accuracy > 0.9


def test_rows_may_be_sparse_bytes_or_a_frame(rng):
    scipy = pytest.importorskip("scipy.sparse")
    pandas = pytest.importorskip("pandas")
    ensemble, x = rn.Ensemble(nets()), rows(rng)
    x[x < 0] = 0
    expected = ensemble.predict_proba(x)
    for other in (scipy.csr_matrix(x), pandas.DataFrame(x)):
        np.testing.assert_allclose(ensemble.predict_proba(other), expected, atol=1e-6)
    members = nets()
    members[0].input_dtype = "uint8"
    pixels = rng.integers(0, 256, (5, 4)).astype(np.uint8)
    with_bytes = rn.Ensemble(members).predict_proba(pixels)
    np.testing.assert_allclose(with_bytes, ensemble.predict_proba(pixels / 255), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda n: [], ValueError, "nets: expected at least one Network, got none"),
        (lambda n: n[0], TypeError, "nets: expected a list of Networks, got Network"),
        (lambda n: [n[0], 3], TypeError, r"nets\[1\]: expected a Network, got int"),
        (lambda n: [n[0], n[1], n[0]], ValueError, r"nets\[2\]: .* that of nets\[0\]"),
        (lambda n: [n[0], *nets("mse")], ValueError, r"nets\[1\]: expected loss softmax"),
        (
            lambda n: [n[0], *nets(outputs=2)],
            ValueError,
            r"nets\[1\]: expected output_shape \(3,\), as nets\[0\] has, got \(2,\)",
        ),
        (
            lambda n: [n[0], rn.Network([rn.Dense(3)], (5,))],
            ValueError,
            r"nets\[1\]: expected input_shape \(4,\)",
        ),
    ],
)
def test_nets_that_do_not_belong_together_are_refused(change, error, text):
    with pytest.raises(error, match=text) as caught:
        rn.Ensemble(change(nets()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda e: e.predict(np.zeros((3, 5))), "x: expected shape"),
        (lambda e: e.predict(np.zeros((3, 4)), batch_size=0), "batch_size: expected"),
        (lambda e: e.predict(np.zeros((3, 4)), threads=0), "threads: expected"),
        (lambda e: e.evaluate(np.zeros((3, 4)), [0, 1]), "y: expected"),
        (lambda e: e.evaluate(np.zeros((3, 4)), [0, 1, 3]), "y: expected"),
        (lambda e: e.evaluate(np.zeros((1, 4)), [0], batch_size=0), "batch_size: exp"),
        (lambda e: e.evaluate(np.zeros((1, 4)), [0], threads=0), "threads: expected"),
    ],
)
def test_wrong_arguments_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call(rn.Ensemble(nets()))


def test_it_shows_what_it_is():
    ensemble = rn.Ensemble(nets())
    assert repr(ensemble).startswith("<Ensemble of 3 nets, the first <Network 4 -> 5 -> 3")
    assert len(ensemble) == len(ensemble.nets) == 3
    assert ensemble.count_params() == sum(net.count_params() for net in ensemble.nets)


# ---- files ----


@pytest.fixture
def ensemble(rng):
    members = nets(optimizer="adam")
    x = rows(rng, 100)
    rn.fit_many(members, x, rng.integers(0, 3, 100))
    members[2].lr_multipliers = [0.5, 1]
    return rn.Ensemble(members)


def test_a_file_gives_the_same_ensemble(ensemble, rng, tmp_path):
    path, x = tmp_path / "e.safetensors", rows(rng)
    ensemble.save(path)
    for other in (rn.Ensemble.load(path), rn.Ensemble.load(path.read_bytes())):
        assert other.predict_proba(x).tobytes() == ensemble.predict_proba(x).tobytes()
        for ours, theirs in zip(ensemble.nets, other.nets, strict=True):
            assert theirs.architecture() == ours.architecture()
            assert theirs.optimizer == ours.optimizer
            assert theirs.input_dtype == ours.input_dtype
            assert theirs.lr_multipliers == ours.lr_multipliers
    stream = io.BytesIO()
    ensemble.save(stream)
    assert stream.getvalue() == path.read_bytes()
    copied = pickle.loads(pickle.dumps(copy.deepcopy(ensemble)))
    assert copied.predict_proba(x).tobytes() == ensemble.predict_proba(x).tobytes()


def test_nets_of_a_file_continue_if_they_were_saved_so(ensemble, rng, tmp_path):
    path, x, y = tmp_path / "e.safetensors", rows(rng, 100), rng.integers(0, 3, 100)
    ensemble.save(path, optimizer_state=True)
    other = rn.Ensemble.load(path)
    for net in (*ensemble.nets, *other.nets):
        net.fit(x, y, verbose=0)
    for ours, theirs in zip(ensemble.nets, other.nets, strict=True):
        assert theirs.weights.tobytes() == ours.weights.tobytes()


def test_a_file_that_cannot_be_written_leaves_the_older_one(
    ensemble, tmp_path, monkeypatch
):
    path = tmp_path / "e.safetensors"
    ensemble.save(path)
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        ensemble.save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["e.safetensors"]


def test_files_of_nets_and_of_ensembles_are_told_apart(ensemble, tmp_path):
    one, many = tmp_path / "one.safetensors", tmp_path / "many.safetensors"
    ensemble.nets[0].save(one)
    ensemble.save(many)
    with pytest.raises(
        rn.FormatError, match=r"an ensemble of nets; use rn\.Ensemble\.load"
    ):
        rn.load(many)
    with pytest.raises(rn.FormatError, match=r"a single net; use rn\.load"):
        rn.Ensemble.load(one)
    with pytest.raises(FileNotFoundError):
        rn.Ensemble.load(tmp_path / "none.safetensors")


def test_damaged_files_are_refused_in_one_line(tmp_path):
    path = tmp_path / "e.safetensors"
    small = rn.Ensemble([rn.Network([rn.Dense(2)], (1,), seed=s) for s in (1, 2)])
    small.save(path)
    whole = path.read_bytes()
    damaged = [whole[:n] for n in range(0, len(whole), 7)]
    for i in range(len(whole)):
        damaged.append(bytearray(whole))
        damaged[-1][i] ^= 1 << i % 8
    refused = 0
    for content in damaged:
        try:
            other = rn.Ensemble.load(bytes(content))
        except rn.FormatError as error:
            assert "\n" not in str(error)
            refused += 1
            continue
        assert [n.weights.tobytes() for n in other.nets] == [
            n.weights.tobytes() for n in small.nets
        ]
    assert refused > 0.95 * len(damaged)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda m: {"nets": []},
            "the ensemble cannot be used: nets: expected at least one",
        ),
        (lambda m: {"nets": 3}, "the metadata cannot be read"),
        (lambda m: {"nets": [3, *m["nets"]]}, r"nets\[0\]: architecture cannot be used"),
        (
            lambda m: {"nets": [*m["nets"], m["nets"][0]]},
            r"nets\[3\]: layers.0.weight: exp",
        ),
        (lambda m: {"holds": "a cat"}, "the metadata cannot be read"),
        (lambda m: {"holds": []}, "the metadata cannot be read"),
    ],
)
def test_files_that_lie_are_refused(ensemble, tmp_path, change, text):
    path = tmp_path / "e.safetensors"
    ensemble.save(path)
    tensors, metadata = model_file.read(path, "ensemble")
    del metadata["sha256"]
    model_file.write(path, tensors, {**metadata, **change(metadata)})
    with pytest.raises(rn.FormatError, match=text) as caught:
        rn.Ensemble.load(path)
    assert "\n" not in str(caught.value)
