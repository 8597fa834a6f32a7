"""scikit-learn's neural networks, trained by the native core.

`MLPClassifier` and `MLPRegressor` have the parameters, attributes and messages of those in
`sklearn.neural_network`; `NetworkClassifier` and `NetworkRegressor` accept any layers.
docs/reference/sklearn.md lists what is equal, what differs, and why.

>>> from rnn_native.sklearn import MLPClassifier
>>> x, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ["no", "yes", "yes", "no"]
>>> model = MLPClassifier(8, "tanh", learning_rate_init=0.05, random_state=1)
>>> model.fit(x, y).predict(x)
array(['no', 'yes', 'yes', 'no'], dtype='<U3')
"""

try:
    import sklearn  # noqa: F401
except ModuleNotFoundError:
    raise ImportError(
        "rnn_native.sklearn: scikit-learn is not installed; try "
        "`pip install 'rnn_native[sklearn]'`"
    ) from None

from rnn_native.base.runtime import register_threadpoolctl
from rnn_native.sklearn.mlp_classifier import MLPClassifier
from rnn_native.sklearn.mlp_regressor import MLPRegressor
from rnn_native.sklearn.network_classifier import NetworkClassifier
from rnn_native.sklearn.network_regressor import NetworkRegressor

register_threadpoolctl()  # scikit-learn needs threadpoolctl, so it is there

__all__ = ["MLPClassifier", "MLPRegressor", "NetworkClassifier", "NetworkRegressor"]
