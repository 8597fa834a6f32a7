"""What `fit` is given to validate on, and the trap of giving it through a Pipeline."""

import sys
import warnings
from typing import Any, NamedTuple

from sklearn.pipeline import Pipeline


class Validation(NamedTuple):
    """Rows to validate on, as the user gave them."""

    x: Any
    y: Any
    weights: Any = None


def given_validation(
    X_val: Any, y_val: Any, sample_weight_val: Any, validation_data: Any
) -> Validation | None:
    """Return what `fit` was given to validate on, None for nothing.

    Raises
    ------
    ValueError, TypeError
        If one of the arguments lacks another, or there are both forms.

    Warns
    -----
    FutureWarning
        For `validation_data`, the form of before.
    UserWarning
        If a Pipeline transforms the rows of `fit` and not these.
    """
    if validation_data is not None:
        if X_val is not None or y_val is not None:
            raise ValueError("validation_data and X_val, y_val: expected one of them")
        X_val, y_val = _pair(validation_data)
        warnings.warn(
            "validation_data is deprecated and will be removed in 0.3; use X_val=, y_val=",
            FutureWarning,
            stacklevel=5,
        )
        _warn_if_a_pipeline_passes_by("validation_data")
        return Validation(X_val, y_val, sample_weight_val)
    if X_val is None and y_val is None:
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val is provided, but X_val was not provided.")
        return None
    if y_val is None:
        raise ValueError("X_val is provided, but y_val was not provided.")
    if X_val is None:
        raise ValueError("y_val is provided, but X_val was not provided.")
    _warn_if_a_pipeline_passes_by("X_val")
    return Validation(X_val, y_val, sample_weight_val)


def _pair(validation_data: Any) -> tuple[Any, Any]:
    if not isinstance(validation_data, (tuple, list)):
        kind = type(validation_data).__name__
        raise TypeError(f"validation_data: expected a tuple (X, y), got {kind}")
    if len(validation_data) != 2:
        raise ValueError(
            "validation_data: expected (X, y), got a "
            f"{type(validation_data).__name__} of length {len(validation_data)}"
        )
    return validation_data[0], validation_data[1]


def _warn_if_a_pipeline_passes_by(name: str) -> None:
    """Warn where a Pipeline transforms X, and hands these rows on as they are.

    The estimator cannot see that from its arguments: what is asked is who called.
    """
    pipeline = _calling_pipeline()
    if pipeline is None or name in (pipeline.transform_input or ()):
        return
    if all(step in (None, "passthrough") for _, step in pipeline.steps[:-1]):
        return
    warnings.warn(
        f"{name}: the Pipeline transforms X and not these rows. Use X_val with "
        "Pipeline(..., transform_input=['X_val']), metadata routing and "
        ".set_fit_request(X_val=True, y_val=True), or transform them before and ignore "
        "this warning",
        UserWarning,
        stacklevel=6,
    )


def _calling_pipeline() -> Pipeline | None:
    """Return the innermost Pipeline whose `fit` is under way, if there is one."""
    frame = sys._getframe()
    while frame is not None:
        code, names = frame.f_code, frame.f_globals
        if code.co_name == "fit" and names.get("__name__") == "sklearn.pipeline":
            owner = frame.f_locals.get("self")
            if isinstance(owner, Pipeline):
                return owner
        frame = frame.f_back  # type: ignore[assignment]
    return None
