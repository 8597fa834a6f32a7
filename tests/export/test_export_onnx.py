"""ONNX files against onnxruntime, an independent runtime."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest

import rnn_native as rn
import twins
from cases import CASES, arrays, has_padded_states
from rnn_native.export import onnx_file
from rnn_native.net.losses import labels_of


def session_of(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(
        content, options, providers=["CPUExecutionProvider"]
    )


def run(model, x):
    """Labels and probabilities that onnxruntime gives."""
    return session_of(model).run(["label", "probabilities"], {"x": x})


EXPRESSED = [case for case in CASES if not case.blank and not has_padded_states(case)]


@pytest.mark.parametrize("case", EXPRESSED, ids=str)
def test_every_layer_against_onnxruntime(case):
    x, _, params = arrays(case)
    net = rn.Network(case.specs, case.input_shape, case.loss)
    net.weights[:] = twins.flatten_all(params)
    model = rn.export.onnx_model(net)
    onnx.checker.check_model(model, full_check=True)
    session = session_of(model)
    for rows in (x.astype(np.float32), x[:1].astype(np.float32)):  # any number of rows
        label, probabilities = session.run(["label", "probabilities"], {"x": rows})
        expected = net.predict_proba(rows)
        scale = max(1, np.abs(expected).max())
        assert probabilities.shape == expected.shape
        np.testing.assert_allclose(probabilities, expected, atol=1e-5 * scale, rtol=0)
        assert label.dtype == np.int64
        expected = labels_of(net.predict_proba(rows), net.loss)
        np.testing.assert_array_equal(label, expected)


@pytest.mark.parametrize("opset", [13, 22])
def test_every_layer_in_other_operator_sets(opset):
    """The oldest and the newest give what set 17 gives."""
    for case in EXPRESSED:
        x, _, params = arrays(case)
        net = rn.Network(case.specs, case.input_shape, case.loss)
        net.weights[:] = twins.flatten_all(params)
        model = rn.export.onnx_model(net, opset=opset)
        assert [one.version for one in model.opset_import] == [opset]
        onnx.checker.check_model(model, full_check=True)
        _, found = run(model, x.astype(np.float32))
        expected = net.predict_proba(x.astype(np.float32))
        scale = max(1, np.abs(expected).max())
        np.testing.assert_allclose(
            found, expected, atol=1e-5 * scale, rtol=0, err_msg=case.name
        )


@pytest.mark.parametrize("opset", [12, 23, 17.0])
def test_operator_sets_that_are_not_written_are_refused(opset):
    with pytest.raises((ValueError, TypeError), match=r"^opset: expected an integer.*22"):
        rn.export.onnx_model(small_net(), opset=opset)


def test_padding_below_a_recurrent_layer_is_refused():
    net = rn.Network([rn.Masking(), rn.GRU(3)], (5, 2), "squared_error")
    message = r"^layers\[1\] \(gru\): ONNX has no padding within a sequence; leave out the"
    with pytest.raises(ValueError, match=message):
        rn.export.onnx_model(net)


def small_net(*layers, loss="softmax_cross_entropy"):
    end = layers or [rn.Dense(3)]
    return rn.Network([rn.Dense(6, "tanh"), *end], (4,), loss, seed=3)


def test_inputs_and_outputs_are_named_and_typed():
    net = rn.Network([rn.Conv2D(2, 3), rn.Flatten(), rn.Dense(3)], (1, 5, 4))
    session = session_of(rn.export.onnx_model(net))
    (x,) = session.get_inputs()
    assert (x.name, x.type, x.shape) == ("x", "tensor(float)", ["n", 1, 5, 4])
    label, probabilities = session.get_outputs()
    assert (label.name, label.type, label.shape) == ("label", "tensor(int64)", ["n"])
    assert probabilities.name == "probabilities"
    assert (probabilities.type, probabilities.shape) == ("tensor(float)", ["n", 3])


def test_no_other_domain_is_needed():
    model = rn.export.onnx_model(small_net(rn.RMSNorm()))
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert model.producer_name == "rnn_native"


def test_of_equal_outputs_the_first_is_the_label():
    net = small_net(rn.Dense(5))
    net.params[:] = 0
    label, probabilities = run(rn.export.onnx_model(net), np.zeros((2, 4), np.float32))
    assert label.tolist() == net.predict(np.zeros((2, 4))).tolist() == [0, 0]
    np.testing.assert_allclose(probabilities, 0.2)


@pytest.mark.parametrize("outputs", [1, 3])
def test_half_is_a_yes(outputs):
    net = small_net(rn.Dense(outputs), loss="sigmoid_cross_entropy")
    net.params[:] = 0
    label, _ = run(rn.export.onnx_model(net), np.zeros((2, 4), np.float32))
    assert label.tolist() == ([1, 1] if outputs == 1 else [[1] * 3] * 2)


def test_it_can_take_bytes(digits, tmp_path):
    images, _ = digits[1]
    net = rn.pretrained.load()
    rn.export.to_onnx(net, tmp_path / "digit.onnx", uint8_input=True)
    label, probabilities = run((tmp_path / "digit.onnx").read_bytes(), images[:, None])
    np.testing.assert_allclose(probabilities, net.predict_proba(images), atol=1e-5)
    np.testing.assert_array_equal(label, net.predict(images))


def test_equal_nets_are_equal_files(tmp_path):
    for name in ("a.onnx", "b.onnx"):
        rn.export.to_onnx(small_net(rn.Dense(3)), tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_layer_that_onnx_lacks_is_named(monkeypatch, tmp_path):
    monkeypatch.delitem(onnx_file.LAYERS, "rmsnorm")
    with pytest.raises(ValueError, match=r"layers\[1\] \(rmsnorm\): ONNX cannot express"):
        rn.export.to_onnx(small_net(rn.RMSNorm()), tmp_path / "x.onnx")
    monkeypatch.delitem(onnx_file.FUNCTIONS, "tanh")
    with pytest.raises(ValueError, match=r"layers\[0\] \(dense\): ONNX cannot express"):
        rn.export.to_onnx(small_net(), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_without_onnx_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'rnn_native\[onnx\]'"):
        rn.export.to_onnx(small_net(), tmp_path / "x.onnx")


def test_what_protobuf_cannot_hold_is_refused(monkeypatch):
    monkeypatch.setattr("rnn_native.export.onnx_graph.MAX_BYTES", 100)
    with pytest.raises(ValueError, match="at most 2 GiB"):
        rn.export.onnx_model(small_net())


def test_the_pretrained_model_reads_mnist_in_onnxruntime(mnist):
    images, _ = mnist[1]
    net = rn.pretrained.load()
    x = (images[:, None] / np.float32(255)).astype(np.float32)
    label, probabilities = run(rn.export.onnx_model(net), x)
    assert len(label) == 10_000
    np.testing.assert_array_equal(label, net.predict(images))
    np.testing.assert_allclose(probabilities, net.predict_proba(images), atol=1e-5)
