"""Training configurations: JSON files with the numbers of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from rnn_native.base.files import AnyPath, shown
from rnn_native.base.rules import Place, take
from rnn_native.net.tables import ACTIVATION_ALIASES
from rnn_native.settings import config_keys
from rnn_native.settings.json_file import HEAD_KEYS, read_json
from rnn_native.settings.schedulers import SCHEDULERS
from rnn_native.training.schedules import Constant, Schedule, Warmup

if TYPE_CHECKING:
    from rnn_native.training.recipe import Recipe

ACTIVATIONS = config_keys.ACTIVATIONS
OPTIMIZERS = config_keys.OPTIMIZERS
KEYS = config_keys.KEYS
# What a Recipe has too, under the same names except the learning rate.
_RECIPE_KEYS = (
    "epochs",
    "batch_size",
    "accumulate",
    "steps_per_epoch",
    "seed",
    "validation_split",
    "stratify",
    "shuffle",
    "patience",
    "min_delta",
    "optimizer",
    "clip_norm",
    "label_smoothing",
    "l2",
    "mixup",
    "ema_decay",
    "swa_start",
    "augment",
    "class_weight",
)


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """A training configuration, made by `load_config` or `parse_config`.

    None means not set: the program that trains has its own value.

    Attributes
    ----------
    scheduler_type : str
        One of ``SCHEDULERS``.
    step_size, gamma
        Of step_decay.
    decay_rate
        Of exponential.
    min_lr
        Of cosine_annealing and plateau.
    T_max : int or None
        Of cosine_annealing; None is the number of epochs.
    activation_function : str or None
        One of ``ACTIVATIONS``, for the hidden layers; see `hidden_activation`.
    leaky_relu_alpha, elu_alpha : float
    learning_rate, batch_size, accumulate, epochs, steps_per_epoch, seed, validation_split
    stratify, shuffle, min_delta, label_smoothing, clip_norm, l2, mixup, ema_decay, swa_start
        See `rnn_native.training.Recipe`.
    patience : int or None
        0 never stops early.
    optimizer : dict or None
        Spec of an optimizer, as the core expects it.
    augment : dict or None
        Keys of `rnn_native.Augment`, all but image_shape.
    class_weight : "balanced", tuple of float, dict of int to float, or None
    warmup_epochs, warmup_steps : int
    lr_max, div, div_final, pct_start
        Of one_cycle; `lr_max` None is the learning rate.
    plateau_factor, plateau_patience, plateau_min_delta, plateau_cooldown
        Of plateau.

    Examples
    --------
    >>> import rnn_native as rn
    >>> config = rn.config.parse_config({"learning_rate": 0.1, "optimizer": "adam"})
    >>> config.learning_rate, config.optimizer
    (0.1, {'type': 'adam'})
    """

    scheduler_type: str = "constant"
    step_size: int = 3
    gamma: float = 0.5
    decay_rate: float = 0.95
    min_lr: float = 1e-4
    T_max: int | None = None
    activation_function: str | None = None
    leaky_relu_alpha: float = 0.01
    elu_alpha: float = 1.0
    learning_rate: float | None = None
    batch_size: int | None = None
    accumulate: int | None = None
    epochs: int | None = None
    steps_per_epoch: int | None = None
    optimizer: dict[str, Any] | None = None
    seed: int | None = None
    validation_split: float | None = None
    stratify: bool | None = None
    shuffle: bool | None = None
    patience: int | None = None
    min_delta: float | None = None
    label_smoothing: float | None = None
    clip_norm: float | None = None
    l2: float | None = None
    mixup: float | None = None
    ema_decay: float | None = None
    swa_start: int | None = None
    augment: dict[str, Any] | None = None
    class_weight: str | tuple[float, ...] | dict[int, float] | None = None
    warmup_epochs: int = 0
    warmup_steps: int = 0
    lr_max: float | None = None
    div: float = 25.0
    div_final: float = 1e5
    pct_start: float = 0.25
    plateau_factor: float = 0.1
    plateau_patience: int = 2
    plateau_min_delta: float = 0.001
    plateau_cooldown: int = 0

    def applied_to(self, recipe: "Recipe", classes: int) -> "Recipe":
        """Return a program's recipe in which the values of this configuration replace others.

        Parameters
        ----------
        recipe : Recipe
            What the program does without a configuration.
        classes : int
            Number of classes, for `class_weight`.

        Returns
        -------
        Recipe
            Its schedule is that of this configuration; None when that is constant.

        Raises
        ------
        ConfigError
            If `class_weight` does not fit the number of classes.
        """
        given = {name: getattr(self, name) for name in _RECIPE_KEYS}
        given["lr"] = self.learning_rate
        given["class_weight"] = self._weights(classes)
        changed = {name: value for name, value in given.items() if value is not None}
        if self.patience == 0:
            changed["patience"] = None
        recipe = replace(recipe, **changed)
        schedule = self.schedule(recipe.lr, recipe.epochs)
        plain = isinstance(schedule, Constant)
        return replace(recipe, schedule=None if plain else schedule)

    def _weights(self, classes: int) -> str | list[float] | None:
        """Return the class weights in the form of a recipe; classes not named weigh 1."""
        given = self.class_weight
        if given is None or isinstance(given, str):
            return given
        by_class = given if isinstance(given, dict) else dict(enumerate(given))
        place = Place("class_weight")
        if isinstance(given, tuple) and len(given) != classes:
            raise place.error(f"expected {classes} weights, got {len(given)}")
        if max(by_class) >= classes:
            raise place.error(f"expected classes below {classes}, got {max(by_class)}")
        return [by_class.get(label, 1.0) for label in range(classes)]

    def schedule(self, lr: float, epochs: int) -> Schedule:
        """Return the schedule for a run with this learning rate and number of epochs."""
        schedule = SCHEDULERS[self.scheduler_type].make(self, lr, epochs)
        if self.warmup_epochs or self.warmup_steps:
            return Warmup(schedule, self.warmup_epochs, self.warmup_steps)
        return schedule

    def hidden_activation(self) -> dict[str, Any] | None:
        """Return the keys "activation" and "alpha" of a layer's spec, or None."""
        if self.activation_function is None:
            return None
        name = self.activation_function
        spec: dict[str, Any] = {"activation": ACTIVATION_ALIASES.get(name, name)}
        if self.activation_function == "leaky_relu":
            spec["alpha"] = self.leaky_relu_alpha
        if self.activation_function == "elu":
            spec["alpha"] = self.elu_alpha
        return spec

    def as_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults as plain data that `parse_config` accepts."""
        given = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        if isinstance(self.class_weight, tuple):
            given["class_weight"] = list(self.class_weight)
        if isinstance(self.class_weight, dict):
            given["class_weight"] = {str(k): w for k, w in self.class_weight.items()}
        return {"scheduler_type": self.scheduler_type, **given}


def load_config(path: AnyPath) -> TrainingConfig:
    """Read a training configuration.

    Parameters
    ----------
    path : str or path-like
        JSON with the keys that docs/reference/configuration.md lists; the reference system's files
        are taken as they are.

    Returns
    -------
    TrainingConfig
        Checked.

    Raises
    ------
    OSError
        If there is no such file, it is not a regular one, or reading fails.
    ConfigError
        If it is not JSON, a key is unknown or missing, or a value is out of range.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "config.json")
    ...     size = path.write_text('{"epochs": 5, "learning_rate": 0.1}')
    ...     print(rn.load_config(path).epochs)
    5
    """
    return parse_config(read_json(path), shown(path))


def parse_config(mapping: Mapping[str, Any], source: str = "config") -> TrainingConfig:
    """Make a training configuration from plain data.

    Parameters
    ----------
    mapping : mapping
        What `load_config` reads from a file.
    source : str
        What messages name.

    Returns
    -------
    TrainingConfig
        Checked.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, or a value is out of range.

    Examples
    --------
    >>> from rnn_native.config import parse_config
    >>> config = parse_config({"scheduler_type": "step_decay", "gamma": 0.1})
    >>> config.schedule(lr=0.5, epochs=10)
    StepDecay(lr=0.5, step_size=3, gamma=0.1)
    """
    place = Place(source)
    given = take(place, config_keys.in_own_names(place, mapping), KEYS)
    for key in HEAD_KEYS:
        given.pop(key, None)
    if not given:
        raise place.error("expected at least one key, got none")
    config_keys.require_scheduler_type(place, given)
    config_keys.check_as_the_reference(place, given)
    config_keys.check_scheduler(place, given)
    if given.get("warmup_epochs") and given.get("warmup_steps"):
        raise place.key("warmup_steps").error(
            "warmup_epochs is set too; remove one of them"
        )
    config_keys.gather_optimizer(place, given)
    return TrainingConfig(**given)
