"""`fit` with a communicator: bits, who writes, and what is refused."""

import numpy as np
import pytest

import fake_ranks
import rnn_native as rn
from rnn_native.base.errors import RankError, TrainingDiverged
from rnn_native.models import reference
from rnn_native.sklearn import MLPClassifier
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 2}, "rank 1 has another seed or recipe than rank 0"),
        ({"every": 2}, "rank 1 has another every than rank 0"),
        ({"lr": 0.5}, "another seed or recipe"),
    ],
)
def test_ranks_that_differ_are_refused(change, message, digits):
    def train(comm):
        with pytest.raises(RankError, match=message):
            _trained("mlp", digits, comm, **(change if comm.rank else {}))

    fake_ranks.run(2, train)


def test_other_data_is_refused(digits):
    def train(comm):
        x = digits[0] if comm.rank == 0 else digits[0][::-1]
        with pytest.raises(RankError, match="another data"):
            _trained("mlp", (x, digits[1]), comm)

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


def test_no_communicator_is_refused(digits):
    class Three(_Silent):
        size = 3

    with pytest.raises(ValueError, match="expected 1, 2, 4, ... 64 ranks, got 3"):
        Ranks(Three())
    with pytest.raises(TypeError, match="comm: expected a communicator .* int"):
        _trained("mlp", digits, 4)
    with pytest.raises(ValueError, match="every: expected 1 without comm, got 8"):
        _trained("mlp", digits, every=8)
