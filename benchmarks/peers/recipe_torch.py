"""The same recipe as a PyTorch user would write it: RECIPE FOLDER THREADS [compile].

Batches are taken from one tensor by a permutation, without a DataLoader, and images are
distorted a batch at a time: the fastest of the usual ways.
"""

import gzip
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def read(folder, name, header, shape):
    data = gzip.decompress((Path(folder) / f"{name}.gz").read_bytes())
    return torch.from_numpy(
        np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()
    )


def load(folder, part, flat):
    x = read(folder, f"{part}-images-idx3-ubyte", 16, (-1, 1, 28, 28)).float().div_(255)
    y = read(folder, f"{part}-labels-idx1-ubyte", 8, (-1,)).long()
    return (x.flatten(1) if flat else x), y


def glorot(layer):
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def build(architecture):
    modules, shape = [], torch.zeros(1, *architecture["input_shape"])
    for spec in architecture["layers"]:
        kind = spec["type"]
        if kind == "dense":
            new = glorot(nn.Linear(shape.shape[1], spec["units"]))
        elif kind == "conv2d":
            size, padding = spec["kernel_size"], spec.get("padding", 0)
            new = glorot(nn.Conv2d(shape.shape[1], spec["filters"], size, padding=padding))
        elif kind == "maxpool2d":
            new = nn.MaxPool2d(spec["kernel_size"])
        elif kind == "dropout":
            new = nn.Dropout(spec["rate"])
        else:
            new = nn.Flatten()
        modules.append(new)
        if spec.get("activation") == "relu":
            modules.append(nn.ReLU())
        shape = new(shape)
    return nn.Sequential(*modules)


def rate(training, position):
    """Return the rate of the one-cycle schedule, in the form of fastai."""
    top, start = training["learning_rate"], 0.25
    if position < start:
        low, high, at = top / 25, top, position / start
    else:
        low, high, at = top, top / 1e5, (position - start) / (1 - start)
    return low + (high - low) * (1 - math.cos(math.pi * at)) / 2


def even(most, n):
    return (2 * torch.rand(n) - 1) * most


def distort(x, settings):
    """Shear, scale and turn around the center, then shift; bilinear, zeros outside."""
    n, shape = len(x), x.shape
    angle = even(math.radians(settings.get("rotation", 0)), n)
    factor, shear = 1 + even(settings.get("scale", 0), n), even(settings.get("shear", 0), n)
    c, s = torch.cos(angle), torch.sin(angle)
    inverse = (
        torch.stack([c + shear * s, s - shear * c, -s, c]).div(factor).T.reshape(n, 2, 2)
    )
    shift = even(settings.get("shift", 0), (n, 2)) * 2 / 28
    offset = -(inverse @ shift[:, :, None])
    grid = F.affine_grid(
        torch.cat([inverse, offset], 2), (n, 1, 28, 28), align_corners=False
    )
    return F.grid_sample(x.reshape(n, 1, 28, 28), grid, align_corners=False).reshape(shape)


def main():
    recipe = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(int(sys.argv[3]))
    training, architecture = recipe["training"], recipe["architecture"]
    torch.manual_seed(training["seed"])
    flat = len(architecture["input_shape"]) == 1
    x, y = load(sys.argv[2], "train", flat)
    net = build(architecture)
    decay = training["optimizer"]["weight_decay"]
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=decay, fused=True)
    forward = torch.compile(net) if sys.argv[4:] == ["compile"] else net
    batch, epochs = training["batch_size"], training["epochs"]
    steps = epochs * math.ceil(len(x) / batch)
    done = 0
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch):
            inputs = x[rows]
            if "augment" in training:
                inputs = distort(inputs, training["augment"])
            for group in optimizer.param_groups:
                group["lr"] = rate(training, done / steps)
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(forward(inputs), y[rows]).backward()
            optimizer.step()
            done += 1
    net.eval()
    x_test, y_test = load(sys.argv[2], "t10k", flat)
    with torch.inference_mode():
        hits = sum(
            int((net(part).argmax(1) == labels).sum())
            for part, labels in zip(x_test.split(1000), y_test.split(1000), strict=True)
        )
    print(hits / len(y_test))


if __name__ == "__main__":
    main()
