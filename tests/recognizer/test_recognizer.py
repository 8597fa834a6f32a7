"""Behind the window: which model, what its answers depend on, corrections and learning."""

import os

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import FormatError, pretrained
from rnn_native.recognizer import learning, model_choice, overlay, pictures
from rnn_native.recognizer.learning import Corrections, Replay, learned
from rnn_native.recognizer.state import State


def digit_net(seed=1):
    return rn.Network([rn.Dense(16, "relu"), rn.Dense(10)], (784,), seed=seed)


def attention_net():
    return rn.Network(rn.models.attention_layers(), (1, 28, 28))


# ---- which model ----


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save_run(folder, name, age, net=None):
    run = folder / "runs" / name
    run.mkdir(parents=True)
    (net or digit_net()).save(run / "best.safetensors")
    os.utime(run / "best.safetensors", (1e9 - age, 1e9 - age))


def test_alone_there_is_the_pretrained_model(folder):
    assert model_choice.around() == [model_choice.Choice("pretrained", pretrained.PATH)]


def test_newest_run_first_then_the_references_files_in_its_order(folder):
    save_run(folder, "old", age=100)
    save_run(folder, "new", age=1)
    (folder / "runs" / "empty").mkdir()
    (folder / "mnist_model_gpu.bin").touch()
    (folder / "mnist_model.bin").touch()
    names = [choice.name for choice in model_choice.around()]
    assert names == ["run new", "run old", "serial", "gpu", "pretrained"]


def test_a_run_of_another_kind_is_passed_over(folder):
    save_run(folder, "xor", age=1, net=rn.Network([rn.Dense(1)], (2,), "squared_error"))
    (folder / "mnist_model.bin").write_text("not a model")
    save_run(folder, "digits", age=2)
    choice, net = model_choice.first_that_opens(model_choice.around())
    assert choice.name == "run digits"
    assert net.input_shape == (784,)


def test_reference_words(folder):
    rn.legacy.write_legacy(
        rn.Network(rn.models.MLP_LAYERS, (784,)), folder / "mnist_model_gpu.bin"
    )
    for word in ("gpu", "CUDA"):
        choice = model_choice.named(word)
        assert choice.path.name == "mnist_model_gpu.bin"
        assert model_choice.open_model(choice).input_shape == (784,)
    with pytest.raises(FileNotFoundError, match=r"^mnist_model\.bin: not found .* train"):
        model_choice.named("serial")


def test_a_model_for_something_else_is_refused(folder):
    rn.Network([rn.Dense(3)], (4,)).save("small.safetensors")
    with pytest.raises(ValueError, match=r"small.*28 x 28 .* from 4 numbers to 3"):
        model_choice.open_model(model_choice.named("small.safetensors"))


# ---- overlays ----


def test_saliency_is_the_gradient_of_the_logit():
    """A linear net's gradient is its weight, whatever the picture."""
    net = rn.Network([rn.Dense(10)], (784,), seed=3)
    image = np.random.default_rng(0).random((28, 28), np.float32)
    wanted = np.abs(net.parameters["layers.0.weight"][:, 4]).reshape(28, 28)
    np.testing.assert_allclose(
        overlay.saliency(net, image, 4), wanted / wanted.max(), rtol=1e-6
    )


def test_saliency_without_gradient_is_zero():
    net = digit_net()
    net.params[:] = 0
    assert not overlay.saliency(net, np.zeros((28, 28), np.float32), 0).any()


def test_attention_is_what_each_patch_receives():
    net = attention_net()
    image = np.random.default_rng(0).random((28, 28), np.float32)
    received = net.attention_maps(image[None])[0].mean(axis=0)
    shown = overlay.attention(net, image)
    assert shown.shape == (28, 28)
    assert shown.max() == 1
    for token, weight in enumerate(received / received.max()):
        y, x = 4 * (token // 7), 4 * (token % 7)
        np.testing.assert_allclose(shown[y : y + 4, x : x + 4], weight, rtol=1e-6)


def test_attention_is_offered_only_where_there_is_some():
    assert overlay.has_attention(attention_net())
    assert not overlay.has_attention(digit_net())


def test_pixmap():
    rgb = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    assert pictures.ppm(rgb) == b"P6 2 1 255\n\1\2\3\4\5\6"
    assert pictures.ppm(rgb, 2) == b"P6 4 2 255\n" + 2 * b"\1\2\3\1\2\3\4\5\6\4\5\6"


# ---- corrections ----


def picture(value):
    return np.full((28, 28), value, np.float32)


def test_corrections_are_kept_as_idx(tmp_path):
    kept = Corrections(tmp_path / "new")
    kept.add(picture(0.2), 3)
    kept.add(picture(1), 9)
    images = rn.idx.read_images(tmp_path / "new" / learning.IMAGES)
    assert images[:, 0, 0].tolist() == [51, 255]
    assert rn.idx.read_labels(tmp_path / "new" / learning.LABELS).tolist() == [3, 9]
    again = Corrections(tmp_path / "new")
    again.add(picture(0), 0)
    assert Corrections(tmp_path / "new").labels == [3, 9, 0]


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = Corrections()
    kept.add(picture(1), 1)
    assert len(kept) == 1
    assert not list(tmp_path.iterdir())


def test_a_crash_between_the_two_files_loses_one_correction(tmp_path):
    kept = Corrections(tmp_path)
    kept.add(picture(0.2), 3)
    labels = (tmp_path / learning.LABELS).read_bytes()
    kept.add(picture(1), 9)
    (tmp_path / learning.LABELS).write_bytes(labels)
    assert Corrections(tmp_path).labels == [3]
    assert len(Corrections(tmp_path).images) == 1


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    rn.idx.write_idx(tmp_path / learning.IMAGES, np.zeros((1, 28, 28), np.uint8))
    rn.idx.write_idx(tmp_path / learning.LABELS, np.zeros(3, np.uint8))
    with pytest.raises(FormatError, match="3 labels"):
        Corrections(tmp_path)
    rn.idx.write_idx(tmp_path / learning.IMAGES, np.zeros((3, 20, 20), np.uint8))
    with pytest.raises(FormatError, match="28 x 28"):
        Corrections(tmp_path)


# ---- learning ----


@pytest.fixture(scope="module")
def replay():
    return Replay(*rn.datasets.synthetic_digits(2_000, seed=1))


def test_learning_corrects_and_does_not_forget(replay):
    """Sevens are called ones: strokes turned upside down, which the net has not seen."""
    net = pretrained.load()
    digits, labels = rn.datasets.synthetic_digits(400, seed=5)
    sevens = [image[::-1] for image in digits[labels == 7]][:8]
    before = net.weights.copy()
    better = learned(net, sevens[:5], [1] * 5, replay)
    np.testing.assert_array_equal(net.weights, before)
    assert (better.predict(np.stack(sevens[:5])) == 1).all()
    _, accuracy = net.evaluate(digits, labels.astype(int))
    _, after = better.evaluate(digits, labels.astype(int))
    assert after > accuracy - 0.01


def test_learning_gives_the_same_bits_again(replay):
    net = digit_net()
    image = replay.images[0]
    one, two = (learned(net, [image], [3], replay) for _ in range(2))
    np.testing.assert_array_equal(one.weights, two.weights)


def test_replay_is_mnist_where_it_is_at_hand(tmp_path, monkeypatch):
    digits, labels = rn.datasets.synthetic_digits(50, seed=9)
    for part in ("train", "t10k"):
        rn.idx.write_idx(tmp_path / f"{part}-images-idx3-ubyte", digits)
        rn.idx.write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels)
    load = learning.load_replay.__wrapped__  # not what was loaded before
    monkeypatch.setenv("RNN_NATIVE_DATA", str(tmp_path))
    np.testing.assert_array_equal(load().images, digits)
    monkeypatch.setenv("RNN_NATIVE_DATA", str(tmp_path / "nowhere"))
    assert len(load().labels) == learning.REPLAYED


# ---- the state behind the window ----


def draw_line(state):
    state.drawing.begin(140, 60, 20)
    state.drawing.extend(140, 220)
    state.drawing.end()


@pytest.fixture
def state():
    choice = model_choice.Choice("pretrained", pretrained.PATH)
    return State(choice, pretrained.load())


def test_an_empty_canvas_is_said_to_be_empty(state):
    seen = state.seen()
    assert seen.reading.label is None
    assert seen.reading.doubt
    assert seen.overlay is None
    assert not state.correct(3)
    assert len(state.corrections) == 0


def test_a_line_is_a_one(state):
    draw_line(state)
    assert state.seen().reading.label == 1


def draw(state, *strokes):
    for (x, y), *rest in strokes:
        state.drawing.begin(x, y, 20)
        for x1, y1 in rest:
            state.drawing.extend(x1, y1)
        state.drawing.end()


def test_several_digits_are_looked_for_only_where_strokes_are_apart(state, monkeypatch):
    """A four of two strokes is one digit; looking for more would take long."""
    from rnn_native.recognizer import state as module

    four = [(110, 60), (90, 150), (190, 150)], [(160, 80), (150, 230)]
    look = module.read_digits
    monkeypatch.setattr(module, "read_digits", None)
    draw(state, *four)
    assert state.seen().reading.label == 4
    monkeypatch.setattr(module, "read_digits", look)
    state.drawing.clear()
    draw(state, [(50, 70), (50, 210)], [(150, 80), (240, 80), (215, 140), (190, 220)])
    seen = state.seen()
    assert seen.reading.label is None
    assert seen.page.lines == ["17"]


def test_an_opened_picture_is_read_instead_of_the_drawing(state):
    draw_line(state)
    digits, labels = rn.datasets.synthetic_digits(30, seed=2)
    at = int(np.argmax(labels == 0))
    state.picture = digits[at]
    assert state.seen().reading.label == 0


def test_overlays_take_turns(state):
    draw_line(state)
    kinds = []
    for _ in range(3):
        kinds.append((state.overlay, state.seen().overlay is not None))
        state.next_overlay()
    assert kinds == [("none", False), ("saliency", True), ("none", False)]
    state.net = attention_net()
    state.overlay = "none"
    kinds = []
    for _ in range(4):
        kinds.append((state.overlay, state.seen().overlay is not None))
        state.next_overlay()
    shown = [("none", False), ("saliency", True), ("attention", True), ("none", False)]
    assert kinds == shown


def test_learning_is_undone(state):
    draw_line(state)
    assert state.correct(4)
    before = state.net
    lesson = state.lesson()
    assert state.take(lesson, lesson.learned())
    assert state.seen().reading.label == 4
    assert state.can_unlearn
    state.unlearn()
    assert state.net is before
    assert state.seen().reading.label == 1
    assert not state.can_unlearn


def test_what_was_learned_for_another_net_is_dropped(state, tmp_path):
    draw_line(state)
    state.correct(4)
    lesson = state.lesson()
    digit_net().save(tmp_path / "other.safetensors")
    state.use(model_choice.Choice("other", tmp_path / "other.safetensors"))
    assert not state.take(lesson, lesson.net)
    assert state.net.input_shape == (784,)


def test_a_lesson_keeps_to_what_there_was(state):
    draw_line(state)
    state.correct(4)
    lesson = state.lesson()
    state.correct(5)
    assert lesson.labels == (4,)
    assert len(lesson.images) == 1


def test_another_model_is_used_or_refused(state, tmp_path):
    digit_net().save(tmp_path / "good.safetensors")
    state.use(model_choice.Choice("good", tmp_path / "good.safetensors"))
    assert state.net.input_shape == (784,)
    (tmp_path / "bad.safetensors").write_text("text")
    with pytest.raises(ValueError, match="bad"):
        state.use(model_choice.Choice("bad", tmp_path / "bad.safetensors"))
    assert state.choice.name == "good"
    assert state.net.input_shape == (784,)
