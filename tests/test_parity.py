"""The core against PyTorch: same weights, same batches, gradients and a hundred steps."""

import os

import numpy as np
import pytest

from cases import CASES, SOFTMAX, Case, arrays, dense
from test_net import native, native_arrays, relative

pytestmark = pytest.mark.parity

if os.environ.get("CI"):
    import torch
else:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: make parity")


def activation(name, alpha):
    F = torch.nn.functional
    return {
        "linear": lambda z: z,
        "relu": F.relu,
        "leaky_relu": lambda z: F.leaky_relu(z, 0.01 if alpha is None else alpha),
        "elu": lambda z: F.elu(z, 1.0 if alpha is None else alpha),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "silu": F.silu,
        "gelu": lambda z: F.gelu(z, approximate="tanh"),
    }[name]


class TorchNet:
    """The case's net as PyTorch users would write it, with the twin's parameters."""

    def __init__(self, case, params):
        self.case = case
        self.tensors = [
            torch.tensor(p[name], dtype=torch.float32, requires_grad=True)
            for p in params
            for name in ("weight", "bias")
        ]

    def loss(self, x, y):
        for i, layer in enumerate(self.case.layers):
            z = x @ self.tensors[2 * i] + self.tensors[2 * i + 1]
            x = activation(layer["activation"], layer.get("alpha"))(z)
        if self.case.loss == SOFTMAX:
            return torch.nn.functional.cross_entropy(x, y.long())
        return ((x - y) ** 2).sum(dim=1).mean()

    def flat(self, tensors):
        return np.concatenate([t.detach().numpy().ravel() for t in tensors])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_of_one_step(case):
    x, y, params = arrays(case)
    x32, y32 = native_arrays(case, x, y)
    net = TorchNet(case, params)
    loss = net.loss(torch.from_numpy(x32), torch.from_numpy(y32))
    loss.backward()
    expected = net.flat([t.grad for t in net.tensors])
    if case.loss != SOFTMAX:
        expected = expected / 2  # squared_error is differentiated as one half of itself
    native_loss, grads = native(case, params).gradients(x32, y32)
    assert native_loss / case.rows == pytest.approx(loss.item(), rel=1e-5)
    assert relative(grads, expected) < 1e-5


MLP = Case("mlp", [dense(512, "relu"), dense(10)], 784, SOFTMAX, 6400)


def test_mlp_loss_after_a_hundred_steps():
    _, _, params = arrays(MLP)
    from rnn_native.datasets import synthetic_digits

    images, labels = synthetic_digits(6400, seed=5)
    pixels, y = images.reshape(-1, 784), labels.astype(np.int32)
    net, peer = native(MLP, params), TorchNet(MLP, params)
    optimizer = torch.optim.SGD(peer.tensors, lr=0.1)
    x = torch.from_numpy(pixels.astype(np.float32) / 255)
    order = np.arange(6400, dtype=np.int32)
    for begin in range(0, 6400, 64):
        rows = order[begin : begin + 64]
        loss, _ = net.train(pixels, y, rows, 64, 0.1)
        optimizer.zero_grad()
        peer_loss = peer.loss(
            x[begin : begin + 64], torch.from_numpy(y[begin : begin + 64])
        )
        peer_loss.backward()
        optimizer.step()
    assert loss[0] / 64 == pytest.approx(peer_loss.item(), rel=1e-5)
    # Usually below 1e-7; a ReLU whose input is within rounding of zero costs some 1e-5.
    assert relative(net.params, peer.flat(peer.tensors)) < 1e-4
