"""Signatures and docstrings of functions that pass options on, for editors and `help`."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from rnn_native.models.options import NOT_IN_RECIPE, ModelOptions, TrainingOptions
from rnn_native.training.recipe import Recipe

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

PLACE = "OPTIONS"
"""What a docstring has in the place of its options."""


def lists_options(defaults: Mapping[str, Any]) -> Callable[[AnyFunction], AnyFunction]:
    """Let a training function show each of its options, with its default.

    The function takes ``**options``; its docstring has a line ``OPTIONS`` below the other
    parameters.

    Parameters
    ----------
    defaults : mapping of str to object
        Where the function's recipe differs from `Recipe`.
    """

    def decorate(function: AnyFunction) -> AnyFunction:
        own = inspect.signature(function)
        shown = {**_recipe_defaults(), **defaults, **NOT_IN_RECIPE}
        names = [n for n in ModelOptions.__annotations__ if n not in own.parameters]
        options = {name: shown[name] for name in names}
        function.__signature__ = _with_options(own, options)  # type: ignore[attr-defined]
        if function.__doc__:  # python -OO has none
            text = inspect.cleandoc(function.__doc__)
            function.__doc__ = text.replace(PLACE, "\n".join(_entries(names))) + "\n"
        return function

    return decorate


def _recipe_defaults() -> dict[str, Any]:
    recipe = Recipe()
    found = {f.name: getattr(recipe, f.name) for f in fields(recipe)}
    return {**found, "optimizer": recipe.optimizer["type"]}


def _with_options(own: inspect.Signature, options: Mapping[str, Any]) -> inspect.Signature:
    """Return a signature with keywords instead of ``**options``, and without long types."""
    kept = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in own.parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value)
        for name, value in options.items()
    ]
    return own.replace(parameters=[*kept, *keywords])


def _entries(names: Iterable[str]) -> list[str]:
    """Return the documentation of options from where they are defined, as lines of a docstring."""
    wanted = set(names)
    lines = []
    for source in (Recipe, TrainingOptions, ModelOptions):
        for head, body in _parameters_of(source):
            if wanted & set(head.partition(" : ")[0].split(", ")):
                lines += [head, *body]
    return lines


def _parameters_of(source: type) -> list[tuple[str, list[str]]]:
    """Return heads and bodies of the entries of a docstring's first section."""
    text = (inspect.getdoc(source) or "").partition("\n\nExamples\n")[0]
    found: list[tuple[str, list[str]]] = []
    for line in text.partition("----------\n")[2].splitlines():
        if not line.startswith(" "):
            found.append((line, []))
        else:
            found[-1][1].append(line)
    return found
