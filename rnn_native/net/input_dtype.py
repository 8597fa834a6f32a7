"""What a net was fitted on, as users and files name it."""

from rnn_native.base.text import brief

INPUT_DTYPES = ("uint8", "float")


def check_input_dtype(value: object) -> str | None:
    """Return what a net was fitted on, "uint8", "float" or None (not known), checked."""
    if value is None:
        return None
    if not isinstance(value, str) or value not in INPUT_DTYPES:
        raise ValueError(
            f"input_dtype: expected 'uint8', 'float' or None, got {brief(value)}"
        )
    return value
