"""What a net writes and reads of its weights alone."""

from __future__ import annotations

from os import PathLike
from typing import IO

from rnn_native.base.files import Source
from rnn_native.models.rate_methods import RateMethods


class WeightFiles(RateMethods):
    """A net whose weights can be saved without the rest."""

    def save_weights(self, path: str | PathLike[str] | IO[bytes]) -> None:
        """Write parameters and running statistics alone, atomically, as Keras does.

        Prefer `save`: its file also has the layers and the optimizer, so `rnn_native.load`
        can create the net. Parameters and errors are those of `save`.

        Examples
        --------
        >>> import io
        >>> import rnn_native as rn
        >>> file = io.BytesIO()
        >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
        >>> net.save_weights(file)
        >>> net.load_weights(file.getvalue())
        """
        from rnn_native.net import model_file

        model_file.save_weights(self, path)

    def load_weights(self, path: Source) -> None:
        """Load the weights of a file that `save_weights` or `save` wrote for such a net.

        The optimizer, its moments and steps stay as they are; `input_dtype` becomes the
        file's, if that says one.

        Parameters
        ----------
        path : path, binary file or bytes

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        FormatError
            If it is damaged, or its weights have other names or shapes; nothing is changed.
        RuntimeError
            While another thread trains the net.

        Examples
        --------
        >>> import io
        >>> import rnn_native as rn
        >>> first, second = (rn.Network([rn.Dense(10)], (784,), seed=seed) for seed in (1, 2))
        >>> file = io.BytesIO()
        >>> first.save_weights(file)
        >>> second.load_weights(file.getvalue())
        >>> bool((first.weights == second.weights).all())
        True
        """
        from rnn_native.net import model_file

        model_file.load_weights(self, path)
