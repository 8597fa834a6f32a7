"""PyTorch, hand-rewritten: an MLP's step that leaves out a batch's columns of zeros.

A column of zeros adds nothing to the first product, and the weights of its pixel have no
gradient; so the product and the update take only the other columns. Forward and backward
are written out, because autograd would compute a gradient for all the weights.
"""

import torch

from peers.torch_peer import VERSION, over_batches, set_up

__all__ = ["VERSION", "train"]


def train(job):
    _, x, y = set_up(job)
    (w1, b1), (w2, b2) = (
        (torch.tensor(p["weight"]), torch.tensor(p["bias"])) for p in job.dense_parameters
    )
    lr = job.workload.lr
    minus_one = torch.full((job.workload.batch_size, 1), -1.0)

    @torch.inference_mode()
    def step(rows):
        batch, labels = x[rows], y[rows, None]
        columns = (batch != 0).any(0).nonzero().squeeze(1)
        batch = batch[:, columns]
        hidden = torch.addmm(b1, batch, w1[columns]).relu_()
        log_p = torch.addmm(b2, hidden, w2).log_softmax(1)
        loss = -log_p.gather(1, labels).mean()

        d_logits = log_p.exp().scatter_add_(1, labels, minus_one[: len(rows)])
        d_logits *= lr / len(rows)
        d_hidden = (d_logits @ w2.T).mul_(hidden > 0)
        w2.addmm_(hidden.T, d_logits, alpha=-1)
        b2.sub_(d_logits.sum(0))
        w1.index_add_(0, columns, batch.T @ d_hidden, alpha=-1)
        b1.sub_(d_hidden.sum(0))
        return loss

    return over_batches(step, job.workload.batch_size)
