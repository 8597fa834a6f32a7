"""From the arguments of `Network.fit` to the run that they ask for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rnn_native.base.xorshift import Xorshift
from rnn_native.net import scores
from rnn_native.net.row_weights import as_weights
from rnn_native.net.rows import AnyRows, validation_parts
from rnn_native.training.batches import HOW, Batches, are_batches
from rnn_native.training.holding_out import Split, split
from rnn_native.training.own_loss import OwnLossRun, as_loss_function
from rnn_native.training.recipe import Recipe
from rnn_native.training.run import Run
from rnn_native.training.shards import run_on
from rnn_native.training.streaming import StreamRun

if TYPE_CHECKING:
    from rnn_native.net.predictor import Predictor
    from rnn_native.training.own_loss import LossFunction
    from rnn_native.training.ranks import Ranks


def run_of(
    net: "Predictor",
    data: tuple[Any, Any, Any],
    validation: Any,
    settings: Mapping[str, Any],
    *,
    seed: int | None,
    metrics: Any,
    loss: "LossFunction | None" = None,
    ranks: "Ranks | None" = None,
    **options: Any,
) -> Run:
    """Return a run that is ready to begin.

    Parameters
    ----------
    net : Predictor
    data : tuple of x, y and sample_weight
        Arrays; or batches and None, as `Network.fit` accepts them.
    validation : tuple, batches, or None
    settings : mapping
        Of the recipe; seed and optimizer are the net's.
    seed : int, optional
        Restarts shuffles and masks.
    metrics : as for `Network.fit`
    loss : callable, optional
        In place of the net's loss.
    ranks : Ranks, optional
        The processes that train together.
    **options
        Of `Run`.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong; the net is unchanged.
    """
    x, y, sample_weight = data
    if loss is not None:
        as_loss_function(loss)
        _refuse_without_own_loss(batches=y is None, ranks=ranks)
    chosen = scores.as_metrics(metrics, net.loss)
    options = {"metrics": chosen, **options}
    own: dict[str, Any] = {
        "seed": net.training_state.seed if seed is None else seed,
        "patience": None,
        "optimizer": net.optimizer,
    }
    if y is None:
        _refuse_what_batches_have(settings, sample_weight)
        batches = Batches(x, net, settings["class_weight"])
        recipe = Recipe(**settings, **own)
        rng = None if seed is None else Xorshift(seed)
        held = _held_of(net, validation, None)
        return StreamRun(net, batches, recipe, rng, validation=held, **options)
    if are_batches(validation):
        raise TypeError(
            "validation_data: batches go with batches, got arrays x and y; give (x, y), or "
            "train on batches too: net.fit([(x, y)], validation_data=...)"
        )
    rows = net.as_rows(x, learns=True)
    targets = net.as_targets(y, len(rows))
    weights = as_weights(sample_weight, len(rows))
    rows_held = _held_of(net, validation, rows)
    if isinstance(rows_held, Split):
        parts = rows_held._replace(x=rows, y=targets, weights=weights)
    else:
        fraction, stratify = settings["validation_split"], settings["stratify"]
        parts = split(rows, targets, fraction, stratify, weights)
    recipe = Recipe(**settings, **own)
    rng = None if seed is None else Xorshift(seed)
    if loss is not None:
        return OwnLossRun(net, parts, recipe, rng, function=loss, **options)
    return run_on(ranks)(net, parts, recipe, rng, **options)


def _refuse_without_own_loss(*, batches: bool, ranks: "Ranks | None") -> None:
    """Refuse what a function as loss cannot be combined with."""
    if batches:
        raise ValueError(
            "loss: a function needs arrays x and y, got batches; write the loop yourself: "
            "net.forward, net.backward, net.apply_gradients"
        )
    if ranks is not None:
        raise ValueError("loss: a function trains in one process; leave comm out")


def _held_of(
    net: "Predictor", given: Any, beside: AnyRows | None
) -> Batches | Split | None:
    """Return what validates; of a `Split` only the rows held out count."""
    if are_batches(given):
        batches = Batches(given, net, name="validation_data")
        if batches.is_generator:
            raise ValueError(
                "validation_data: expected batches for each epoch, got a generator, which "
                f"can be used once; use {HOW}"
            )
        return batches
    held = validation_parts(given)
    if held is None:
        return None
    x = net.as_rows(held[0], "validation_data[0]", learns=beside is None, beside=beside)
    y = net.as_targets(held[1], len(x), "validation_data[1]")
    return Split(x, y, x, y, None, as_weights(held[2], len(x), "validation_data[2]"))


_OF_ARRAYS = {
    "batch_size": (64, "x has batches of a size already; set it where they are made"),
    "validation_split": (0, "batches are not split; use validation_data"),
    "stratify": (False, "batches are not split; use validation_data"),
}


def _refuse_what_batches_have(settings: Mapping[str, Any], sample_weight: Any) -> None:
    """Refuse options that are without effect on batches."""
    for name, (default, reason) in _OF_ARRAYS.items():
        if settings[name] != default:
            raise ValueError(f"{name}: {reason}")
    if sample_weight is not None:
        raise ValueError(
            "sample_weight: batches bring their weights: yield (x, y, weights)"
        )
