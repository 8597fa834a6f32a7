"""`fit` with a communicator: bits, who writes, and what is refused."""

import threading

import numpy as np
import pytest

import fake_ranks
import rnn_native as rn
from rnn_native.base.errors import RankError, TrainingDiverged
from rnn_native.models import reference
from rnn_native.sklearn import MLPClassifier
from rnn_native.training import together
from rnn_native.training.ranks import Ranks


@pytest.fixture(scope="module")
def digits():
    x, y = rn.datasets.synthetic_digits(150, seed=3)
    return x, y


IMAGE = (1, 28, 28)
HEAD = [rn.MaxPool2D(2), rn.Flatten()]
NETS = {
    "mlp": ([rn.Dense(64, "relu"), rn.Dense(10)], (784,)),
    "wide mlp": ([rn.Dense(512, "relu"), rn.Dense(10)], (784,)),
    "cnn": (reference.CNN_LAYERS, IMAGE),
    "attention": (reference.attention_layers(16, 32), IMAGE),
    "recurrent": ([rn.GRU(16, return_sequences=True), rn.LSTM(12), rn.Dense(10)], (28, 28)),
    "batchnorm": (
        [
            rn.Conv2D(4, 3, activation="relu"),
            rn.BatchNorm(),
            *HEAD,
            rn.Dropout(0.3),
            rn.Dense(10),
        ],
        IMAGE,
    ),
}


def _trained(name, digits, comm=None, **options):
    layers, shape = NETS[name]
    net = rn.Network(layers, input_shape=shape, optimizer="adam")
    given = {
        "epochs": 2,
        "batch_size": 64,
        "lr": 0.002,
        "verbose": 0,
        "threads": 1,
        **options,
    }
    history = net.fit(*digits, validation_split=0.2, comm=comm, **given)
    return net.get_weights().tobytes(), history.history["val_loss"]


@pytest.mark.parametrize("name", NETS)
def test_any_number_of_ranks_gives_the_bits_of_one_process(name, digits):
    alone = _trained(name, digits)
    for size in (1, 2, 4, 8):
        found = fake_ranks.run(size, lambda comm: _trained(name, digits, comm))
        assert all(one == alone for one in found), size


def test_options_of_all_kinds(digits):
    options = {
        "augment": {"shift": 2, "rotation": 10},
        "mixup": 0.2,
        "ema_decay": 0.9,
        "l2": 0.001,
        "clip_norm": 1.0,
        "class_weight": "balanced",
        "steps_per_epoch": 3,
    }
    alone = _trained("cnn", digits, **options)
    found = fake_ranks.run(4, lambda comm: _trained("cnn", digits, comm, **options))
    assert all(one == alone for one in found)


def test_local_steps_leave_all_ranks_alike(digits):
    found = fake_ranks.run(4, lambda comm: _trained("mlp", digits, comm, every=2))
    assert all(one == found[0] for one in found)
    assert found[0] != _trained("mlp", digits)


def test_rank_0_alone_writes_and_decides(digits, tmp_path):
    seen = []

    class Stops(rn.Callback):
        def on_epoch_end(self, epoch, logs):
            seen.append(epoch)
            if epoch == 1:
                self.run.stop("enough")

    def train(comm):
        log = rn.CSVLogger(tmp_path / "log.csv")
        return len(_trained("mlp", digits, comm, epochs=5, callbacks=[Stops(), log])[1])

    assert fake_ranks.run(4, train) == [2] * 4
    assert seen == [0, 1]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


def test_a_run_resumes_with_another_number_of_ranks(tmp_path):
    data = rn.datasets.synthetic_digits(200, seed=3)
    arrays = (data, data)
    options = {"verbose": 0, "threads": 1, "batch_size": 32}
    whole = rn.train_mlp(arrays, epochs=3, **options).model.get_weights()
    steps = [(4, 1, False), (2, 2, True), (1, 3, True)]
    for size, epochs, resume in steps:
        more = {"epochs": epochs, "resume": resume, "out": tmp_path / "run", **options}
        fake_ranks.run(
            size, lambda comm, more=more: rn.train_mlp(arrays, comm=comm, **more)
        )
    found = rn.load(tmp_path / "run" / "last.safetensors").get_weights()
    np.testing.assert_array_equal(found, whole)


def test_estimators(digits):
    options = {"max_iter": 9, "n_iter_no_change": 1, "tol": 1e9, "random_state": 0}

    x = digits[0].reshape(len(digits[0]), -1) / 255

    def fitted(comm=None):
        return MLPClassifier((32,), n_threads=1, **options).fit(x, digits[1], comm=comm)

    alone = fitted().coefs_[0].tobytes()
    assert [e.coefs_[0].tobytes() for e in fake_ranks.run(2, fitted)] == [alone] * 2


def test_divergence_is_told_by_all(digits):
    def train(comm):
        with pytest.raises(TrainingDiverged, match="epoch 1"):
            _trained("mlp", (digits[0] * 1e30, digits[1]), comm, lr=9e5)
        return True

    assert all(fake_ranks.run(2, train))


def _others(kind, digits):
    """Return options, and rows, with which a rank is unlike the others."""
    x, y = digits
    return {
        "seed or recipe": {"lr": 0.5},
        "every or shards": {"every": 2},
        "data": {"rows": (x[::-1], y)},
        "weights of rows": {"sample_weight": np.linspace(0, 1, len(x))},
        "weights": {"net_seed": 5},
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["seed or recipe", "every or shards", "data", "weights of rows", "weights"],
)
def test_ranks_that_differ_are_refused(kind, digits):
    def train(comm):
        given = dict(_others(kind, digits) if comm.rank else {})
        rows, seed = given.pop("rows", digits), given.pop("net_seed", 1)
        net = rn.Network([rn.Dense(10)], input_shape=(784,), seed=seed)
        with pytest.raises(RankError, match=f"rank 1 differs from rank 0 in its {kind};"):
            net.fit(*rows, batch_size=64, verbose=0, comm=comm, **given)

    fake_ranks.run(2, train)


def test_other_validation_rows_are_refused(digits):
    x, y = digits

    def train(comm):
        held = x[: 50 + comm.rank], y[: 50 + comm.rank]
        net = rn.Network([rn.Dense(10)], input_shape=(784,))
        with pytest.raises(RankError, match="in its validation rows"):
            net.fit(x, y, validation_data=held, verbose=0, comm=comm)

    fake_ranks.run(2, train)


class _OfThread:
    """Has another text in each thread, and so on each rank."""

    def __repr__(self):
        return str(threading.get_ident())


@pytest.mark.parametrize("kind", ["version of rnn_native", "CPU level"])
def test_other_programs_and_processors_are_refused(kind, digits, monkeypatch):
    if kind == "CPU level":
        monkeypatch.setattr(together, "config", lambda: {"cpu_level": _OfThread()})
    else:
        monkeypatch.setattr(together, "__version__", _OfThread())

    def train(comm):
        with pytest.raises(RankError, match=f"rank 1 differs from rank 0 in its {kind}"):
            _trained("mlp", digits, comm)

    fake_ranks.run(2, train)


def test_notes_of_any_length_and_script(digits):
    def note(comm):
        return Ranks(comm).notes("\u00e4\u6f22" * 400 * comm.rank + "\udcff")

    found = fake_ranks.run(4, note)
    assert all(one == found[0] for one in found)
    assert [len(one) for one in found[0]] == [1, 801, 1601, 2401]


# ---- shards ----

SHARDED = {"shuffle": False, "batch_size": 32, "epochs": 2, "verbose": 0, "threads": 1}


def _on_shards(digits, size, **options):
    """Return weights and history of ranks, of which rank k has every size-th row from k on."""
    x, y = digits
    n = len(x) // size * size

    def train(comm):
        own = slice(comm.rank, n, size)
        net = rn.Network([rn.Dense(16, "relu"), rn.Dense(10)], input_shape=(784,))
        given = {**SHARDED, "comm": comm, "shards": True, **options}
        history = net.fit(x[own], y[own], validation_split=0.2, **given)
        return net.get_weights().tobytes(), history.history

    return fake_ranks.run(size, train)


def test_shards_train_as_all_rows_together(digits):
    """Rows taken in turn make the batches of one process; averages its updates."""
    x, y = digits[0][:128], digits[1][:128]
    net = rn.Network([rn.Dense(16, "relu"), rn.Dense(10)], input_shape=(784,))
    held = x[104:], y[104:]
    alone = net.fit(x[:104], y[:104], validation_data=held, **SHARDED).history
    (weights, found), *others = _on_shards((x, y), 4)
    assert all(one == weights for one, _ in others)
    close = {"rtol": 1e-4, "atol": 1e-6}
    got = np.frombuffer(weights, np.float32)
    np.testing.assert_allclose(got, net.get_weights(), **close)
    for name in ("loss", "val_loss", "accuracy", "val_accuracy"):
        np.testing.assert_allclose(found[name], alone[name], **close)


def test_shards_repeat_with_all_options(digits):
    options = {"shuffle": True, "mixup": 0.3, "every": 2, "metrics": ["f1"]}
    first = _on_shards(digits, 2, **options)
    assert [one[0] for one in _on_shards(digits, 2, **options)] == [first[0][0]] * 2
    assert first[0][1]["val_f1"] == first[1][1]["val_f1"]


def test_a_run_on_shards_resumes(tmp_path):
    x, y = rn.datasets.synthetic_digits(200, seed=3)
    given = {"verbose": 0, "threads": 1, "batch_size": 32, "shards": True}

    def train(comm, epochs, **more):
        own = x[comm.rank :: 2], y[comm.rank :: 2]
        result = rn.train_mlp((own, own), epochs=epochs, comm=comm, **given, **more)
        return result.model.get_weights().tobytes()

    whole = fake_ranks.run(2, lambda comm: train(comm, 3))
    out = {"out": tmp_path / "run"}
    fake_ranks.run(2, lambda comm: train(comm, 1, **out))
    found = fake_ranks.run(2, lambda comm: train(comm, 3, resume=True, **out))
    assert found == whole


class _InBatches(rn.Callback):
    def on_train_batch_end(self, batch, logs):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"batch_size": 33},
            "batch_size: expected a multiple of 2, the ranks, with shards",
        ),
        ({"ema_decay": 0.9}, "ema_decay: expected 0 with shards"),
        ({"swa_start": 0}, "swa_start: expected None with shards"),
        ({"accumulate": 2}, "accumulate: expected 1 with comm, .* got 2; use a larger ba"),
        (
            {"callbacks": [_InBatches()]},
            "none that is called in batches with shards, got _In",
        ),
    ],
)
def test_what_shards_cannot_have_is_refused(options, message, digits):
    with pytest.raises(ValueError, match=message):
        _on_shards(digits, 2, **options)


def test_shards_of_other_sizes_are_refused(digits):
    def train(comm):
        x, y = (part[: 100 + comm.rank] for part in digits)
        net = rn.Network([rn.Dense(10)], input_shape=(784,))
        with pytest.raises(
            ValueError, match="rows to train on .* 100 on rank 0 and 101 on"
        ):
            net.fit(x, y, comm=comm, shards=True, verbose=0)

    fake_ranks.run(2, train)


def test_a_batch_smaller_than_the_ranks_is_refused(digits):
    def train(comm):
        with pytest.raises(ValueError, match="batch_size: expected at least 4, a row for"):
            _trained("mlp", digits, comm, batch_size=2)

    fake_ranks.run(4, train)


def test_batches_are_refused(digits):
    net = rn.Network([rn.Dense(10)], input_shape=(784,))
    batches = [(digits[0].reshape(-1, 784), digits[1])]

    def train(comm):
        return net.fit(batches, comm=comm, verbose=0)

    with pytest.raises(ValueError, match="comm: expected arrays x and y, got batches"):
        fake_ranks.run(1, train)


def test_lbfgs_is_refused(digits):
    x = digits[0].reshape(len(digits[0]), -1) / 255
    with pytest.raises(ValueError, match="comm: solver='lbfgs' runs in one process"):
        fake_ranks.run(
            1, lambda comm: MLPClassifier(solver="lbfgs").fit(x, digits[1], comm=comm)
        )


class _Silent:
    """A partner that never answers."""

    rank, size = 0, 2

    class _Request:
        def Test(self):  # noqa: N802
            return False

    def Isend(self, buffer, dest):  # noqa: N802
        return self._Request()

    Irecv = Sendrecv = lambda self, buffer, source: self._Request()


def test_a_silent_rank_ends_the_wait(digits, monkeypatch):
    monkeypatch.setenv("RNN_NATIVE_MPI_SECONDS", "0.05")
    with pytest.raises(RankError, match=r"rank 0 has waited 0\.05 s for rank 1"):
        _trained("mlp", digits, _Silent())


@pytest.mark.parametrize("told", ["", "soon", "0", "-1", "inf", "nan"])
def test_a_wrong_time_limit_is_refused(told, monkeypatch):
    monkeypatch.setenv("RNN_NATIVE_MPI_SECONDS", told)
    with pytest.raises(
        ValueError, match="RNN_NATIVE_MPI_SECONDS: expected a number of sec"
    ):
        Ranks(_Silent())


def test_no_communicator_is_refused(digits):
    class Three(_Silent):
        size = 3

    with pytest.raises(ValueError, match="expected 1, 2, 4, ... 64 ranks, got 3"):
        Ranks(Three())
    with pytest.raises(TypeError, match="comm: expected a communicator .* int"):
        _trained("mlp", digits, 4)
    with pytest.raises(ValueError, match="every: expected 1 without comm, got 8"):
        _trained("mlp", digits, every=8)
    with pytest.raises(ValueError, match="shards: expected False without comm, got True"):
        _trained("mlp", digits, shards=True)
    with pytest.raises(TypeError, match="shards: expected True or False, got 'yes'"):
        _trained("mlp", digits, shards="yes")
