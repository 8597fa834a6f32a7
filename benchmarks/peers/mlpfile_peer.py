"""mlpfile, C++ with Eigen: one row through dense layers with ReLU, to values.

From PyPI, where it is source; it needs the headers of Eigen (Debian: libeigen3-dev).
"""

import tempfile
from importlib.metadata import version
from pathlib import Path

import mlpfile
import mlpfile.torch
import torch

from peers.torch_layers import build

VERSION = f"mlpfile {version('mlpfile')}"


def predict(job, batches):
    if job.workload.loss != "squared_error":
        raise NotImplementedError("only for outputs as they are")
    if any(len(x) > 1 for x in batches):
        raise NotImplementedError("only for one row")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "net.mlp"))
        with torch.no_grad():
            mlpfile.torch.write(build(job.layers), path)
        net = mlpfile.Model.load(path)
    return net.forward, [x.ravel() for x in batches]
