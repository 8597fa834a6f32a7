"""`fit` on batches: the bits of `fit` on arrays, and what is refused."""

import threading

import numpy as np
import pytest

import rnn_native as rn

RNG = np.random.default_rng(5)
X = RNG.integers(0, 256, (150, 12), dtype=np.uint8)
Y = RNG.integers(0, 3, 150).astype(np.int32)


def net(loss="softmax_cross_entropy", outputs=3, **options):
    layers = [rn.Dense(16, "relu"), rn.Dropout(0.3), rn.Dense(outputs)]
    return rn.Network(layers, input_shape=(12,), loss=loss, optimizer="adam", **options)


def cut(size=32, x=X, y=Y):
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


class Cut:
    """A loader that shuffles whole batches."""

    def __init__(self, size=32, length=None):
        self.parts, self.seeds, self.length = cut(size), [], length

    def __len__(self):
        return self.length or len(self.parts)

    def batches(self, seed):
        self.seeds.append(seed)
        order = range(len(self.parts))
        if seed is not None:
            order = np.random.default_rng(seed).permutation(len(self.parts))
        for i in order:
            yield self.parts[i]


class Batches(rn.Callback):
    seen = 0

    def on_train_batch_end(self, batch, logs):
        self.seen += 1


SETTINGS = {
    "epochs": 3,
    "lr": 0.01,
    "verbose": 0,
    "l2": 1e-4,
    "clip_norm": 1.0,
    "ema_decay": 0.9,
    "label_smoothing": 0.1,
    "class_weight": {1: 2.0},
    "mixup": 0.2,
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("callbacks", [(), Batches()], ids=["plain", "by batch"])
def test_batches_have_the_bits_of_arrays(threads, callbacks):
    whole, parts = net(), net()
    schedule = rn.schedules.OneCycle(0.01, 3)
    more = {**SETTINGS, "schedule": schedule, "threads": threads}
    held = (X[:40], Y[:40])
    expected = whole.fit(X, Y, shuffle=False, batch_size=32, validation_data=held, **more)
    history = parts.fit(cut(), validation_data=held, callbacks=callbacks, **more)
    assert np.array_equal(whole.weights, parts.weights)
    for column in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert history.history[column] == expected.history[column]


def test_row_weights_come_with_the_batches():
    weights = RNG.uniform(0.5, 2, 150).astype(np.float32)
    whole, parts = net(), net()
    whole.fit(X, Y, shuffle=False, batch_size=50, sample_weight=weights, verbose=0)
    parts.fit(
        [(*b, weights[i * 50 : i * 50 + 50]) for i, b in enumerate(cut(50))], verbose=0
    )
    assert np.array_equal(whole.weights, parts.weights)


def test_a_loader_gets_a_seed_for_each_epoch_and_is_repeated_by_it():
    one, other, loader = net(), net(), Cut()
    one.fit(loader, epochs=4, verbose=0)
    assert len(set(loader.seeds)) == 4
    for _ in range(4):  # further calls continue
        other.fit(Cut(), verbose=0)
    assert np.array_equal(one.weights, other.weights)
    again = net()
    again.fit(Cut(), epochs=4, verbose=0, seed=7)
    assert not np.array_equal(one.weights, again.weights)
    plain = Cut()
    again.fit(plain, verbose=0, shuffle=False)
    assert plain.seeds == [None]


def test_a_saved_net_continues_with_the_bits(tmp_path):
    whole, first = net(), net()
    whole.fit(Cut(), epochs=4, verbose=0)
    first.fit(Cut(), epochs=2, verbose=0)
    first.save(tmp_path / "net.safetensors", optimizer_state=True)
    second = rn.load(tmp_path / "net.safetensors")
    second.fit(Cut(), epochs=2, verbose=0)
    assert np.array_equal(whole.weights, second.weights)


def test_a_generator_in_parts():
    whole, parts = net(), net()
    whole.fit(cut(), epochs=2, verbose=0)
    parts.fit(iter(cut() * 2), epochs=2, steps_per_epoch=len(cut()), verbose=0)
    assert np.array_equal(whole.weights, parts.weights)
    # A pass over a list does not end with the epoch.
    whole, parts = net(), net()
    whole.fit(cut(), epochs=3, verbose=0)
    parts.fit(cut(), epochs=5, steps_per_epoch=3, verbose=0)
    assert np.array_equal(whole.weights, parts.weights)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
def test_validation_from_a_loader_is_that_of_its_rows(loss):
    y = Y if loss == "softmax_cross_entropy" else RNG.normal(size=(150, 2))
    outputs = 3 if loss == "softmax_cross_entropy" else 2
    metrics = "auc" if outputs == 3 else ["mse", "mae"]
    batches = cut(40, y=y)
    rows = net(loss, outputs).fit(
        batches, epochs=2, validation_data=(X, y), metrics=metrics, verbose=0
    )
    loaded = net(loss, outputs).fit(
        batches, epochs=2, validation_data=batches, metrics=metrics, verbose=0
    )
    assert rows.history.keys() == loaded.history.keys()
    for column in rows.history.keys() - {"time"}:
        assert rows.history[column] == loaded.history[column]


def test_a_torch_data_loader():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.tensor(X) / 255, torch.tensor(Y).long())
    loader = torch.utils.data.DataLoader(data, batch_size=50)
    parts, whole = net(), net()
    parts.fit(loader, epochs=2, verbose=0)
    x = (torch.tensor(X) / 255).numpy()
    whole.fit(x, Y, batch_size=50, shuffle=False, epochs=2, verbose=0)
    assert np.array_equal(parts.weights, whole.weights)
    with pytest.raises(TypeError, match=r"wrap it in torch\.utils\.data\.DataLoader"):
        net().fit(data)


def bad_batch(index, value):
    parts = cut()
    parts[index] = value
    return parts


REFUSED = {
    "array": (X, {}, "y: expected labels or values, got None, and x is one ndarray"),
    "number": (3, {}, "x: expected an iterable of batches"),
    "empty": ([], {}, "x: expected at least one batch, got none"),
    "none": (bad_batch(1, None), {}, r"x: batch 2: expected \(x, y\) or .*, got None"),
    "alone": (
        bad_batch(2, X),
        {},
        r"x: batch 3: expected .* got ndarray of shape \(150, 12\)",
    ),
    "one": (
        bad_batch(1, (X,)),
        {},
        r"x: batch 2: expected \(x, y\) or .*, got a tuple of length 1$",
    ),
    "shape": (bad_batch(1, (X[:, :5], Y)), {}, r"x of batch 2: expected shape \(n, 12\)"),
    "labels": (bad_batch(1, (X, Y[:9])), {}, "y of batch 2: expected 150 labels"),
    "kind": (bad_batch(1, (X * 2.0, Y)), {}, "x of batch 2: this net was fitted on uint8"),
    "early": (Cut(length=7), {}, "x: ended after batch 5, expected 7 by its length"),
    "late": (Cut(length=3), {}, "x: expected 3 batches by its length, got more"),
    "generator": (iter(cut()), {"epochs": 2}, "x: a generator cannot start again"),
    "parts": (iter(cut()), {"steps_per_epoch": 9}, "x: a generator cannot start again"),
    "accumulate": (cut(), {"accumulate": 2}, "accumulate: x has batches of a size already"),
    "size": (cut(), {"batch_size": 8}, "batch_size: x has batches of a size already"),
    "split": (cut(), {"validation_split": 0.1}, "validation_split: batches are not split"),
    "weights": (cut(), {"sample_weight": Y}, "sample_weight: batches bring their weights"),
    "balanced": (cut(), {"class_weight": "balanced"}, "class_weight: 'balanced' needs the"),
    "metrics": (
        cut(),
        {"metrics": "auc"},
        "metrics: with batches they need validation_data",
    ),
    "held": (
        cut(),
        {"validation_data": iter(cut())},
        "validation_data: .* got a generator",
    ),
    "schedule": (
        iter(cut()),
        {"schedule": rn.schedules.OneCycle(0.1, 1)},
        "schedule: needs the number of batches in an epoch",
    ),
}


def test_a_loader_gives_an_iterable():
    class Nothing(Cut):
        def batches(self, seed):
            return None

    with pytest.raises(
        TypeError, match=r"^x: expected its batches\(seed\) to give .* None$"
    ):
        net().fit(Nothing())


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    given, options, message = REFUSED[case]
    if isinstance(given, type(iter([]))):
        given = iter(list(given))
    with pytest.raises((TypeError, ValueError), match=f"^{message}") as caught:
        net().fit(given, verbose=0, **options)
    assert "\n" not in str(caught.value)


def test_nothing_reads_ahead_when_fit_has_ended():
    class Failing(Cut):
        def batches(self, seed):
            yield self.parts[0]
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        net().fit(Failing(), verbose=0)

    class Raising(rn.Callback):
        def on_train_batch_end(self, batch, logs):
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        net().fit(Cut(), verbose=0, callbacks=Raising())
    net().fit(Cut(), verbose=0, epochs=2, steps_per_epoch=3)
    assert "rnn_native loader" not in [thread.name for thread in threading.enumerate()]
