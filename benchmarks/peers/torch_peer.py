"""PyTorch, eager: tensors indexed by the permutation, fused SGD."""

import torch
import torch.nn.functional as F

from peers.protocol import BATCH_SIZE, HIDDEN, LR

VERSION = f"PyTorch {torch.__version__}"


def prepare(model, data, threads):
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    x, y = torch.from_numpy(data.floats), torch.from_numpy(data.y.astype("int64"))
    net = torch.nn.Sequential(
        torch.nn.Linear(784, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 10)
    )
    with torch.no_grad():
        for layer, w, b in [(net[0], data.w1, data.b1), (net[2], data.w2, data.b2)]:
            layer.weight.copy_(torch.from_numpy(w.T))
            layer.bias.copy_(torch.from_numpy(b))
    optimizer = torch.optim.SGD(net.parameters(), lr=LR, fused=True)

    def train_epoch(order):
        rows = torch.from_numpy(order).long()
        total = 0.0
        for begin in range(0, len(rows), BATCH_SIZE):
            batch = rows[begin : begin + BATCH_SIZE]
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(net(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(batch)
        return float(total) / len(rows)

    return train_epoch
