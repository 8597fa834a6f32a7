"""What a model file says of itself."""

from os import PathLike

from rnn_native.net.model_file import Metadata, is_aside, read


def describe(path: "str | PathLike[str]") -> Metadata:
    """Return a file's metadata and number of parameters, without making a net.

    Parameters
    ----------
    path : str or path-like
        A model file.

    Returns
    -------
    dict
        Architecture, optimizer, facts and "parameters", their number.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.pretrained.load().save(f"{folder}/net")
    ...     print(rn.checkpoint.describe(f"{folder}/net")["parameters"])
    52138
    """
    tensors, metadata = read(path)
    sizes = (int(t.size) for name, t in tensors.items() if not is_aside(name))
    return {**metadata, "parameters": sum(sizes)}
