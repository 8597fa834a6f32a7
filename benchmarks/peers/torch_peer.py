"""PyTorch: tensors indexed by the permutation; eager, or a step compiled as one function.

Options: `compile`; `autotune`, the mode max-autotune of that; `channels-last`; `sdpa`,
PyTorch's own fused attention.
"""

import math

import torch
import torch.nn.functional as F
from torch.func import functional_call, grad_and_value

from peers.protocol import checkpoints
from peers.torch_layers import build

VERSION = f"PyTorch {torch.__version__}"


def set_up(job):
    """Return the module, its input and its targets."""
    torch.set_num_threads(job.threads)
    torch.set_flush_denormal(True)
    net = build(job.layers, fused_attention="sdpa" in job.options)
    x, y = torch.tensor(job.images), torch.tensor(job.data.y)
    if "channels-last" in job.options:
        net = net.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    return net, x, y.long() if y.dtype == torch.int32 else y


def compiled(job, function):
    mode = "max-autotune" if "autotune" in job.options else "default"
    return torch.compile(function, mode=mode, dynamic=False)


def half_squared_error(outputs, y):
    return 0.5 * (outputs - y).square().sum() / len(y)


LOSSES = {"softmax_cross_entropy": F.cross_entropy, "squared_error": half_squared_error}


# ---- a step: forward, loss, backward, update ----


def eager_optimizer(workload, net):
    settings = workload.optimizer
    if settings["type"] == "sgd":
        momentum = settings.get("momentum", 0.0)
        return torch.optim.SGD(net.parameters(), workload.lr, momentum, fused=True)
    made, decay = torch.optim.Adam, {}
    if settings["type"] == "adamw":
        made, decay = torch.optim.AdamW, {"weight_decay": settings["weight_decay"]}
    return made(
        net.parameters(),
        lr=workload.lr,
        betas=(settings["beta_1"], settings["beta_2"]),
        eps=settings["epsilon"],
        fused=True,
        **decay,
    )


def eager_step(workload, net):
    """Return a function of a batch that trains on it and returns its loss."""
    optimizer, loss_of = eager_optimizer(workload, net), LOSSES[workload.loss]

    def step(x, y):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def sgd(workload, params):
    momentum = workload.optimizer.get("momentum", 0.0)
    velocities = {name: torch.zeros_like(p) for name, p in params.items() if momentum}

    def update(grads):
        for name, p in params.items():
            g = grads[name]
            if momentum:
                g = velocities[name].copy_(momentum * velocities[name] + g)
            p.sub_(workload.lr * g)

    return update


def adam(workload, params):
    """Kingma and Ba 2014, as torch.optim.Adam has it, in a form that compiles whole."""
    beta_1, beta_2 = workload.optimizer["beta_1"], workload.optimizer["beta_2"]
    epsilon = workload.optimizer["epsilon"]
    decay = workload.lr * workload.optimizer.get("weight_decay", 0.0)  # AdamW's
    means = {name: torch.zeros_like(p) for name, p in params.items()}
    squares = {name: torch.zeros_like(p) for name, p in params.items()}
    steps = torch.zeros(())

    def update(grads):
        steps.add_(1)
        # 1 - beta**steps would lose four digits in float32; float64 compiles wrongly.
        correct_mean = -1 / torch.expm1(steps * math.log(beta_1))
        correct_square = -1 / torch.expm1(steps * math.log(beta_2))
        for name, p in params.items():
            g, mean, square = grads[name], means[name], squares[name]
            mean.copy_(beta_1 * mean + (1 - beta_1) * g)
            square.copy_(beta_2 * square + (1 - beta_2) * g * g)
            root = (square * correct_square).sqrt()
            p.sub_(decay * p + workload.lr * (mean * correct_mean) / (root + epsilon))

    return update


UPDATES = {"sgd": sgd, "adam": adam, "adamw": adam}


def functional_step(workload, net):
    """As `eager_step`, in a form that torch.compile takes as one graph."""
    params = {name: p.detach() for name, p in net.named_parameters()}
    update = UPDATES[workload.optimizer["type"]](workload, params)

    def loss_of(params, x, y):
        return LOSSES[workload.loss](functional_call(net, params, (x,)), y)

    def step(x, y):
        grads, loss = grad_and_value(loss_of)(params, x, y)
        update(grads)
        return loss

    return step


# ---- tasks ----


def over_batches(step, batch_size, factor=1.0):
    """Return a function that calls `step` with each batch's rows: `factor` times the mean loss."""

    def train_epoch(order):
        batches = torch.from_numpy(order).long().split(batch_size)
        losses = torch.stack([step(rows) for rows in batches]).double()
        sizes = torch.tensor([len(rows) for rows in batches])
        return factor * float((losses * sizes).sum()) / len(order)

    return train_epoch


def train(job):
    net, x, y = set_up(job)
    compile_it = "compile" in job.options
    step = (functional_step if compile_it else eager_step)(job.workload, net)

    def step_rows(rows):
        return step(x[rows], y[rows])

    chosen = compiled(job, step_rows) if compile_it else step_rows
    return over_batches(chosen, job.workload.batch_size, job.workload.loss_factor)


def xor(job):
    net, x, y = set_up(job)
    start = [p.detach().clone() for p in net.parameters()]
    rows = list(zip(x.split(1), y.split(1), strict=True))
    compile_it = "compile" in job.options
    step = (functional_step if compile_it else eager_step)(job.workload, net)

    def one_epoch():
        return sum(job.workload.loss_factor * step(*row) for row in rows)

    chosen = compiled(job, one_epoch) if compile_it else one_epoch

    def run(epochs):
        with torch.no_grad():
            for p, value in zip(net.parameters(), start, strict=True):
                p.copy_(value)
        compared = set(checkpoints(epochs))
        losses = ((epoch, chosen()) for epoch in range(1, epochs + 1))
        return [float(loss) for epoch, loss in losses if epoch in compared]

    return run


def predict(job, batches):
    net, _, _ = set_up(job)
    net.eval()
    if job.workload.loss == "softmax_cross_entropy":
        net.append(torch.nn.Softmax(-1))
    chosen = compiled(job, net) if "compile" in job.options else net
    last = "channels-last" in job.options
    form = torch.channels_last if last else torch.contiguous_format
    inputs = [torch.from_numpy(x).contiguous(memory_format=form) for x in batches]
    return torch.inference_mode()(chosen), inputs
