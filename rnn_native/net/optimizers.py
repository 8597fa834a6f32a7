"""The settings of an optimizer, at the edge."""

from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

import rnn_native._core as _core
from rnn_native.base.checks import check_number, is_number, plain_number
from rnn_native.base.rules import Rule, nearest
from rnn_native.base.text import brief, printable
from rnn_native.net import tables

Optimizer: TypeAlias = str | Mapping[str, Any]

RULES: dict[str, dict[str, Rule]] = {
    name: tables.rules_of(keys, {}) for name, keys in tables.OPTIMIZERS.items()
}
"""All optimizers, each with its settings and their rules."""


class Settings(dict[str, Any]):
    """Settings by name, with the optimizer's own as "type"; not to be changed in place.

    The core has its own copy: a change here would have no effect.
    """

    __slots__ = ()  # so that no attribute can be set either

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"optimizer: has no attribute {name!r}, its settings are items; the learning rate "
            "is fit(lr=...), in a callback self.run.learning_rate"
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        self.__getattr__(name)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(
            "optimizer: its settings cannot be changed in place; set net.optimizer = "
            "{**net.optimizer, ...}, which resets its moments"
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return Settings, (dict(self),)


def as_settings(optimizer: Optimizer) -> Settings:
    """Return an optimizer's settings, checked.

    Parameters
    ----------
    optimizer : str or mapping
        A name (one of `RULES`, in any case), or a mapping with `type` and settings.

    Raises
    ------
    ValueError, TypeError
        If there is no such optimizer (the message lists them), it has no such setting, or a
        value is out of range.
    """
    if isinstance(optimizer, str):
        optimizer = {"type": optimizer}
    if not isinstance(optimizer, Mapping):
        raise TypeError(
            f"optimizer: expected a name or a dict with 'type', got {brief(optimizer)}"
        )
    settings = {name: plain_number(value) for name, value in optimizer.items()}
    if "type" not in settings:
        raise ValueError(f"optimizer.type: missing; expected one of {', '.join(RULES)}")
    kind = settings["type"]
    if not isinstance(kind, str):
        raise ValueError(f"optimizer.type: expected a name, got {brief(kind)}")
    settings["type"] = kind.lower()
    if settings["type"] not in RULES:
        known = ", ".join(RULES)
        raise ValueError(f"optimizer.type: expected one of {known}, got {brief(kind)}")
    _check_keys(settings)
    for name, value in settings.items():
        if is_number(value):
            check_number(f"optimizer.{name}", value)
    _core.check_optimizer(settings)
    return Settings(settings)


def _check_keys(settings: Mapping[Any, Any]) -> None:
    """Say what an unknown setting may have been meant to be."""
    known = RULES[settings["type"]]
    for key in settings:
        if key != "type" and key not in known:
            shown = printable(str(key))
            raise ValueError(f"optimizer.{shown}: unknown key{nearest(str(key), known)}")
