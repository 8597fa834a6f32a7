"""fit_many: the bits of one by one, whatever else happens to a net."""

import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest

import rnn_native as rn
from environment import python_environment


def data(n=300, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    return x, (x[:, 0] + x[:, 1] > 0).astype(int)


def nets(count=4):
    return [
        rn.Network([rn.Dense(8 + i, "tanh"), rn.Dropout(0.2), rn.Dense(2)], (6,), seed=i + 1,
                   optimizer="adam")
        for i in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_bits_are_those_of_one_by_one(threads):
    x, y = data()
    options = {"epochs": 3, "validation_split": 0.2, "batch_size": 32}
    each = [{"lr": 0.01 * (i + 1), "seed": i} for i in range(4)]
    alone, together = nets(), nets()
    expected = [
        net.fit(x, y, **options, **more, verbose=0)
        for net, more in zip(alone, each, strict=True)
    ]
    got = rn.fit_many(together, x, y, **options, each=each, threads=threads)
    for one, other, a, b in zip(alone, together, expected, got, strict=True):
        assert one.weights.tobytes() == other.weights.tobytes()
        assert a.history["loss"] == b.history["loss"]


def test_folds_have_rows_of_their_own():
    x, y = data()
    parts = [np.arange(300) % 3 != fold for fold in range(3)]
    each = [{"x": x[part], "y": y[part]} for part in parts]
    together, alone = nets(3), nets(3)
    rn.fit_many(together, x, y, each=each)
    for net, other, part in zip(together, alone, parts, strict=True):
        other.fit(x[part], y[part], verbose=0)
        assert net.weights.tobytes() == other.weights.tobytes()


def test_one_that_diverges_does_not_disturb_the_others():
    x, y = data()
    together, alone = nets(3), nets(3)
    together[1].optimizer = "sgd"
    histories = rn.fit_many(
        together, x, y, epochs=3, each=[{}, {"lr": 9e5, "l2": 1e5}, {}], threads=2
    )
    assert "not finite" in histories[1].stop_reason
    for i in (0, 2):
        alone[i].fit(x, y, epochs=3, verbose=0)
        assert together[i].weights.tobytes() == alone[i].weights.tobytes()
        assert histories[i].stop_reason == "epochs"


def test_callbacks_belong_to_a_net():
    x, y = data()
    seen = [[], []]
    each = [
        {"callbacks": rn.LambdaCallback(on_epoch_end=lambda e, logs, s=s: s.append(e))}
        for s in seen
    ]
    rn.fit_many(nets(2), x, y, epochs=2, each=each, verbose=0)
    assert seen == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (
            lambda n: {"nets": [n[0], n[1], n[0]]},
            ValueError,
            r"nets\[2\]: expected each net",
        ),
        (lambda n: {"nets": [n[0], "net"]}, TypeError, r"nets\[1\]: expected a Network"),
        (
            lambda n: {"nets": n[0]},
            TypeError,
            "nets: expected a list of Networks, got Network",
        ),
        (lambda n: {"each": [{}]}, ValueError, "each: expected 3 dicts"),
        (lambda n: {"each": {"lr": 1}}, TypeError, "each: expected a list of dicts"),
        (lambda n: {"each": 3}, TypeError, "each: expected a list of dicts.*, got int"),
        (
            lambda n: {"each": [{}, 3, {}]},
            TypeError,
            r"each\[1\]: expected a dict, got int",
        ),
        (lambda n: {"callbacks": []}, ValueError, "callbacks: expected in `each`"),
        (lambda n: {"verbose": 1}, ValueError, "verbose: expected in `each`"),
        (lambda n: {"epochs": 0}, ValueError, "epochs: expected"),
        (lambda n: {"x": np.zeros((300, 5))}, ValueError, "x: expected shape"),
        (lambda n: {"lrr": 1}, TypeError, "lrr"),
        (lambda n: {"threads": 0}, ValueError, "threads: expected"),
    ],
)
def test_wrong_arguments_are_refused(change, error, text):
    x, y = data()
    three = nets(3)
    before = [net.get_weights() for net in three]
    given = {"nets": three, "x": x, "y": y, **change(three)}
    with pytest.raises(error, match=text) as caught:
        rn.fit_many(given.pop("nets"), given.pop("x"), given.pop("y"), **given)
    assert "\n" not in str(caught.value)
    for net, weights in zip(three, before, strict=True):
        assert net.weights.tobytes() == weights.tobytes()


@pytest.mark.parametrize(
    ("more", "error", "text"),
    [
        ({"lr": -1}, ValueError, r"nets\[2\]: lr: expected"),
        ({"x": np.zeros((300, 5))}, ValueError, r"nets\[2\]: x: expected shape"),
        ({"lrr": 1}, TypeError, r"nets\[2\]: .*lrr"),
        ({"callbacks": rn.EarlyStopping}, TypeError, "callbacks: expected instances"),
    ],
)
def test_what_one_net_refuses_leaves_all_untrained(more, error, text, tmp_path):
    x, y = data()
    three = nets(3)
    before = [pickle.dumps(net) for net in three]
    log = rn.CSVLogger(tmp_path / "log.csv")
    with pytest.raises(error, match=text):
        rn.fit_many(three, x, y, each=[{"callbacks": log}, {}, more])
    assert [pickle.dumps(net) for net in three] == before
    assert not list(tmp_path.iterdir())


def test_ctrl_c_among_the_checks_trains_nothing(monkeypatch):
    x, y = data()
    two = nets(2)
    before = [net.get_weights() for net in two]

    def interrupted(self, logs=None):
        raise KeyboardInterrupt

    monkeypatch.setattr("rnn_native.models.many._OnlyCheck.on_train_begin", interrupted)
    with pytest.warns(UserWarning, match="interrupted"), pytest.raises(KeyboardInterrupt):
        rn.fit_many(two, x, y)
    for net, weights in zip(two, before, strict=True):
        assert net.weights.tobytes() == weights.tobytes()


def test_no_nets_are_no_histories():
    x, y = data()
    assert rn.fit_many([], x, y) == []


def test_ctrl_c_ends_all_of_them():
    program = (
        "import signal, numpy as np, rnn_native as rn\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "x = np.random.default_rng(0).normal(size=(2000, 6)); y = (x[:, 0] > 0) * 1\n"
        "nets = [rn.Network([rn.Dense(32), rn.Dense(2)], (6,)) for _ in range(6)]\n"
        "def ready(epoch, logs): epoch == 0 and print('ready', flush=True)\n"
        "each = [{'callbacks': rn.LambdaCallback(on_epoch_end=ready)}] + [{}] * 5\n"
        "try: rn.fit_many(nets, x, y, epochs=10**6, each=each)\n"
        "except KeyboardInterrupt: print('interrupted', [n.steps_done > 0 for n in nets][0])\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env=python_environment(),
    )
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=60)
    assert out.startswith("interrupted")
    assert child.returncode == 0
