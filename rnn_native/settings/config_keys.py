"""Keys of training configurations: a rule for each, and what several must fulfil together."""

import re
from collections.abc import Mapping
from typing import Any

from rnn_native.base.rules import (
    Choice,
    Number,
    Place,
    Rule,
    described,
    flag,
    integer,
    mapping_at,
    quoted,
    take,
    text,
)
from rnn_native.net import optimizers
from rnn_native.settings.json_file import HEAD_KEYS
from rnn_native.settings.schedulers import RATE, SCHEDULERS
from rnn_native.training.augmentation import MOST

ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "swish", "tanh")

_FINITE = Number()
_ANY_COUNT = integer(0, 2**64 - 1)

# How scikit-learn's estimators add epsilon is not a setting of a file.
OPTIMIZERS: dict[str, dict[str, Rule]] = {
    name: {key: rule for key, rule in rules.items() if key != "epsilon_hat"}
    for name, rules in optimizers.RULES.items()
}
OPTIMIZER_KEYS = {key: rule for rules in OPTIMIZERS.values() for key, rule in rules.items()}


def _optimizer(place: Place, value: Any) -> dict[str, Any]:
    """Check a name, or an object whose "type" is the name."""
    names = Choice(tuple(OPTIMIZERS))
    if isinstance(value, str):
        return {"type": names(place, value)}
    if not isinstance(value, Mapping):
        raise place.error(f"expected a name or an object, got {described(value)}")
    if mapping_at(place, value).get("type") is None:
        raise place.key("type").error(f"missing; expected one of {', '.join(OPTIMIZERS)}")
    name = names(place.key("type"), value["type"])
    return take(place, value, {"type": names, **OPTIMIZERS[name]})


def _class_weight(place: Place, value: Any) -> Any:
    """Check "balanced", an array with a weight for each class, or {"3": weight}."""
    weight = Number(0)
    if isinstance(value, (list, tuple)) and value:
        return tuple(weight(place.item(i), item) for i, item in enumerate(value))
    if isinstance(value, Mapping) and value:
        return {
            _label(place, label): weight(place.key(label), item)
            for label, item in mapping_at(place, value).items()
        }
    if value != "balanced":
        raise place.error(
            "expected 'balanced', an array of weights, or an object of class numbers and "
            f"weights, got {described(value)}{'' if value else ' that is empty'}"
        )
    return value


def _label(place: Place, label: str) -> int:
    if re.fullmatch("0|[1-9][0-9]{0,8}", label) is None:
        raise place.error(f"expected class numbers as keys, got {described(label)}")
    return int(label)


AUGMENT_KEYS: dict[str, Rule] = {name: Number(0, most) for name, most in MOST.items()}


def _augment(place: Place, value: Any) -> dict[str, Any]:
    """Check an object with the keys of `Augment`."""
    return take(place, value, AUGMENT_KEYS)


# What the reference checks after reading are finite numbers and strings here: its checks
# have their own order and words.
REFERENCE_SCHEDULER_KEYS: dict[str, Rule] = {
    "step_size": _ANY_COUNT,
    "gamma": _FINITE,
    "decay_rate": _FINITE,
    "min_lr": _FINITE,
    "T_max": _ANY_COUNT,
}

SCHEDULER_KEYS: dict[str, Rule] = {
    **REFERENCE_SCHEDULER_KEYS,
    **{key: rule for kind in SCHEDULERS.values() for key, rule in kind.keys.items()},
}

KEYS: dict[str, Rule] = {
    "scheduler_type": text,
    **SCHEDULER_KEYS,
    "activation_function": text,
    "leaky_relu_alpha": _FINITE,
    "elu_alpha": _FINITE,
    "learning_rate": RATE,
    "batch_size": integer(1),
    "accumulate": integer(1),
    "epochs": integer(1),
    "steps_per_epoch": integer(1),
    "optimizer": _optimizer,
    **OPTIMIZER_KEYS,
    "seed": integer(0, 2**64 - 1),
    "validation_split": Number(0, 1, below=True),
    "stratify": flag,
    "shuffle": flag,
    "patience": integer(0),
    "min_delta": Number(0, 1e6, below=True),
    "label_smoothing": Number(0, 1, below=True),
    "clip_norm": Number(0, 1e30, below=True),
    "l2": Number(0, 1e6, below=True),
    "mixup": Number(0, 4),
    "ema_decay": Number(0, 1, below=True),
    "swa_start": integer(0),
    "augment": _augment,
    "class_weight": _class_weight,
    "warmup_epochs": integer(0),
    "warmup_steps": integer(0),
    **HEAD_KEYS,
}
"""All keys of a training configuration, each with its rule."""


# Keys of other systems' files that mean the same, with the same values.
OTHER_NAMES = {
    "optimizer_type": "optimizer",
    "warmup": "warmup_epochs",
    "gradient_clipping": "clip_norm",
    "regularization": "l2",
    "early_stopping_patience": "patience",
}


def in_own_names(place: Place, value: Any) -> dict[str, Any]:
    """Return an object whose keys of `OTHER_NAMES` have our names, their values checked."""
    given = dict(mapping_at(place, value))
    for other, own in OTHER_NAMES.items():
        item = given.pop(other, None)
        if item is None:
            continue
        if own in given:
            raise place.key(other).error(f"'{own}' sets the same value; remove one of them")
        given[own] = KEYS[own](place.key(other), item)
    if given.pop("enable_augmentation", None):
        raise place.key("enable_augmentation").error(
            f"expected distortions instead: 'augment' with any of {', '.join(AUGMENT_KEYS)}"
        )
    return given


def require_scheduler_type(place: Place, given: dict[str, Any]) -> None:
    """Refuse schedulers' keys without the scheduler, as the reference does."""
    key = next((key for key in given if key in SCHEDULER_KEYS), None)
    if key is not None and "scheduler_type" not in given:
        raise place.key("scheduler_type").error(
            f"missing, but '{key}' is given; expected one of {', '.join(SCHEDULERS)}"
        )


def check_as_the_reference(place: Place, given: dict[str, Any]) -> None:
    """Make the reference's checks, in its order and words."""
    for key in ("gamma", "decay_rate", "min_lr"):
        _require_non_negative(place, given, key)
    name = given.get("activation_function", "relu")
    if name not in ACTIVATIONS:
        raise place.key("activation_function").error(
            f"Invalid activation function {quoted(name)}. "
            f"Must be one of: {', '.join(ACTIVATIONS)}"
        )
    _require_non_negative(place, given, "leaky_relu_alpha")
    if given.get("elu_alpha", 1.0) <= 0:
        got = given["elu_alpha"]
        raise place.key("elu_alpha").error(f"elu_alpha must be positive, got {got}")


def _require_non_negative(place: Place, given: dict[str, Any], key: str) -> None:
    if given.get(key, 0) < 0:
        raise place.key(key).error(f"{key} must be non-negative, got {given[key]}")


def check_scheduler(place: Place, given: dict[str, Any]) -> None:
    """Check what the reference finds out when it makes the scheduler, and our own keys."""
    kind = given.get("scheduler_type", "constant")
    if kind not in SCHEDULERS:
        raise place.key("scheduler_type").error(
            f"Unknown scheduler type {quoted(kind)}. "
            f"Must be one of: {', '.join(SCHEDULERS)}"
        )
    key = SCHEDULERS[kind].above_0
    if given.get(key) == 0:
        raise place.key(key).error(f"{key} must be > 0, got 0")
    for owner, scheduler in SCHEDULERS.items():
        for key in scheduler.keys:
            if key in given and kind != owner:
                raise place.key(key).error(
                    f"only scheduler_type '{owner}' has this key, got '{kind}'"
                )


def gather_optimizer(place: Place, given: dict[str, Any]) -> None:
    """Move the optimizer's keys beside "optimizer" into its spec."""
    beside = {key: given.pop(key) for key in OPTIMIZER_KEYS if key in given}
    if not beside:
        return
    spec = given.setdefault("optimizer", {"type": "sgd"})
    for key in beside:
        if key not in OPTIMIZERS[spec["type"]]:
            raise place.key(key).error(
                f"optimizer '{spec['type']}' has no such key; it has "
                f"{', '.join(OPTIMIZERS[spec['type']])}"
            )
        if key in spec:
            raise place.key(key).error(
                f"optimizer.{key} sets the same value; remove one of them"
            )
    spec.update(beside)
