"""The run of a training call on loaders, and the scores of its test rows."""

from collections.abc import Mapping
from typing import Any

from rnn_native.base.runtime import resolve_threads
from rnn_native.base.xorshift import Xorshift
from rnn_native.datasets.folders import Loaders
from rnn_native.datasets.loader import Loader
from rnn_native.models.network import Network
from rnn_native.net import losses, scores
from rnn_native.net.scores import ClassScores, ValueScores
from rnn_native.training.batch_scores import loss_and_hits, outputs_of
from rnn_native.training.batches import Batches
from rnn_native.training.recipe import Recipe
from rnn_native.training.streaming import StreamRun


def loader_run(
    model: Network,
    loaders: Loaders,
    recipe: Recipe,
    rng: Xorshift,
    *,
    ranks: Any = None,
    **options: Any,
) -> StreamRun:
    """Return a run that is ready to begin; `options` are those of `StreamRun`.

    Raises
    ------
    ValueError
        If the recipe asks for what loaders cannot do.
    """
    if ranks is not None:
        raise ValueError("comm: ranks share arrays, got loaders; leave it out")
    if recipe.stratify:
        raise ValueError("stratify: loaders hold out their last rows; leave it out")
    train, held = _held_out(loaders.train, recipe.validation_split)
    batches = Batches(train, model, recipe.class_weight, "train")
    validation = None if held is None else Batches(held, model, name="validation")
    return StreamRun(model, batches, recipe, rng, validation=validation, **options)


def with_batch_size(loaders: Loaders, options: Mapping[str, Any], size: int) -> Loaders:
    """Return loaders that cut batches as the recipe says, where they were not given cut."""
    if hasattr(loaders.train, "with_batch_size"):
        return loaders._replace(train=loaders.train.with_batch_size(size))
    if "batch_size" in options:
        raise ValueError(
            "batch_size: the loader has batches of a size already; set it there"
        )
    return loaders


def _held_out(train: Loader, fraction: float) -> tuple[Loader, Loader | None]:
    """Return the loader of the rows to train on, and of those that validate."""
    if fraction == 0:
        return train, None
    if not hasattr(train, "split"):
        raise ValueError(
            f"validation_split: {type(train).__name__} has no split(fraction) to hold rows out; "
            "use validation_split=0"
        )
    try:
        first, last = train.split(fraction)
    except ValueError as error:
        raise ValueError(f"validation_split: {error}") from None
    return first, last


def scores_of_loader(
    model: Network, test: Loader, threads: int | None
) -> ClassScores | ValueScores:
    """Return what `Network.evaluate` returns, of the rows of a loader."""
    batches = Batches(test, model, name="test")
    count = resolve_threads(threads)
    loss, hits = loss_and_hits(model, batches, count)
    if losses.LOSSES[model.loss].tells_classes:
        return ClassScores(loss, hits)
    outputs, targets, weights = outputs_of(model, batches, count)
    measured = [
        metric.of(targets, outputs, model.loss, weights)
        for metric in scores.fitting(model.loss)
    ]
    return ValueScores(loss, *measured)
