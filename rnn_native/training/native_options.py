"""What the native calls of a run are given."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnn_native.training.run import Run


def native_options(run: "Run") -> dict[str, Any]:
    """Return what calls that train are given beside rows, rates and what they report to."""
    recipe, state = run.recipe, run.state
    return {
        "threads": run.threads,
        "epoch": run.history.next_epoch + 1,
        "weights": run.row_weights,
        "smoothing": recipe.label_smoothing,
        "clip_norm": recipe.clip_norm,
        "l2": recipe.l2,
        "mixup": recipe.mixup,
        "augment": run.augment,
        "seed": state.seed,
        "step": state.seed_steps,
        "updates": state.steps,
        "averaged": state.average_steps,
    }
