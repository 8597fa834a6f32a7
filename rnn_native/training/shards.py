"""A training run in which each rank has its own rows, a shard of all rows."""

import hashlib
from collections.abc import Callable
from typing import Any

from rnn_native.training.holding_out import Split
from rnn_native.training.measures import evaluated
from rnn_native.training.ranks import Ranks
from rnn_native.training.recipe import Recipe
from rnn_native.training.run import Run


class ShardRun(Run):
    """A run on this rank's shard; each rank has one, with as many rows.

    A batch has the same number of rows of each shard. Measures are those of all shards: loss
    and accuracy over all rows, further metrics as their mean over shards.

    Parameters
    ----------
    model : Predictor
    data : Split
        This rank's rows.
    recipe : Recipe
        `batch_size` is that of all ranks together.
    *args, **options
        See `Run`.
    ranks : Ranks

    Raises
    ------
    ValueError
        If the batch cannot be shared, or a rank has another number of rows.
    """

    def __init__(
        self,
        model: Any,
        data: Split,
        recipe: Recipe,
        *args: Any,
        ranks: Ranks,
        **options: Any,
    ) -> None:
        self._shared_by = ranks
        share = ranks.share_of_batch(recipe.batch_size)
        super().__init__(model, data, recipe, *args, **options)
        self.batch_size = share
        held = 0 if data.val_x is None else len(data.val_x)
        notes = ranks.notes([len(data.x), held, super().data_digest()])
        for name, at in (("rows to train on", 0), ("validation rows", 1)):
            for k, note in enumerate(notes):
                if note[at] != notes[0][at]:
                    raise ValueError(
                        f"shards: expected as many {name} on each rank, got {notes[0][at]} on "
                        f"rank 0 and {note[at]} on rank {k}; leave some out"
                    )
        self._digest_of_all = hashlib.sha256(repr(notes).encode()).hexdigest()

    def data_digest(self) -> str:
        """Return a digest of the rows of all ranks."""
        return self._digest_of_all

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return self.recipe.steps_per_epoch or -(-len(self.order) // self.batch_size)

    def measure(self) -> dict[str, float]:
        """Return the metrics of the model as it is, by column: means over shards."""
        found = self._shared_by.notes(super().measure())
        return {name: sum(one[name] for one in found) / len(found) for name in found[0]}

    def _evaluate(self) -> tuple[float, float]:
        """Return mean loss and share of hits of all ranks' rows held out."""
        held = self.data.val_x, self.data.val_y, self.data.val_weights
        own = evaluated(self.model.native, *held, threads=self.threads)
        loss, hits, count = map(sum, zip(*self._shared_by.notes(own), strict=True))
        return loss / count, hits / count


def run_on(ranks: Ranks | None) -> Callable[..., Run]:
    """Return what makes a run on these ranks."""
    if ranks is None or not ranks.shards:
        return Run
    return lambda *args, **options: ShardRun(*args, ranks=ranks, **options)
