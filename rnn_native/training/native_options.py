"""What the native calls of a run are given."""

from typing import Any

from rnn_native.net.training_state import TrainingState
from rnn_native.training.recipe import Recipe


def native_options(recipe: Recipe, state: TrainingState) -> dict[str, Any]:
    """Return what a call that trains is given by the recipe and by where training stands."""
    return {
        "smoothing": recipe.label_smoothing,
        "clip_norm": recipe.clip_norm,
        "l2": recipe.l2,
        "mixup": recipe.mixup,
        "accumulate": recipe.accumulate,
        "seed": state.seed,
        "step": state.seed_steps,
        "updates": state.steps,
        "averaged": state.average_steps,
    }
