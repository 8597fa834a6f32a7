"""The reference system's models, each trained by one call."""

from collections.abc import Mapping
from typing import Any, Unpack

from rnn_native.datasets import opening
from rnn_native.datasets.folders import Loaders, loaders_of
from rnn_native.models.network import Network
from rnn_native.models.one_call import IMAGE, Data, outputs_of, planned, train_on
from rnn_native.models.options import ModelOptions, recipe_of, with_activation, with_config
from rnn_native.models.signatures import lists_options
from rnn_native.net.layers import (
    Activation,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    MaxPool2D,
    MeanPool,
    PatchEmbed,
    Position,
    SelfAttention,
)
from rnn_native.training.recipe import Recipe
from rnn_native.training.result import TrainingResult

MLP_LAYERS: list[Layer] = [Dense(512, "relu"), Dense(10)]
MLP_OPTIONS: dict[str, Any] = {}

CNN_LAYERS: list[Layer] = [
    Conv2D(8, 3, padding=1, activation="relu"),
    MaxPool2D(2),
    Flatten(),
    Dense(10),
]
CNN_OPTIONS: dict[str, Any] = {"epochs": 3, "batch_size": 32}

ATTENTION_OPTIONS: dict[str, Any] = {"epochs": 8, "batch_size": 32, "seed": 42}


def attention_layers(width: int = 64, ff: int = 128) -> list[Layer]:
    """Return the attention model's layers; `width` of a token, `ff` units between.

    Parameters
    ----------
    width : int
        Of a token.
    ff : int
        Units of the layer between.

    Returns
    -------
    list of Layer
        For images of shape (1, 28, 28).

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = rn.models.attention_layers(width=16, ff=32)
    >>> rn.Network(layers, input_shape=(1, 28, 28)).output_shape
    (10,)
    """
    return [
        PatchEmbed(4, width),
        Position(),
        Activation("relu"),
        SelfAttention(),
        Dense(ff, "relu"),
        Dense(width),
        MeanPool(),
        Dense(10),
    ]


@lists_options(MLP_OPTIONS)
def train_mlp(data: Data = None, **options: Unpack[ModelOptions]) -> TrainingResult:
    """Train the reference system's MNIST MLP: 784-512-10, ReLU, softmax, plain SGD.

    Batch 64, learning rate 0.01, 10 epochs, seed 1, the last 10 % of the rows held out,
    early stopping after 3 epochs without improvement.

    Parameters
    ----------
    data : path, name of a data set, arrays, loaders or None
        A folder with MNIST's files, with pictures by class or with shards
        (docs/how-to/streaming.md); a name that `datasets.load_dataset` accepts, or "synthetic"
        for generated digits: the last layer has as many units as the data set has classes;
        ((x, y), (x_test, y_test)) as `datasets.load_mnist` returns them; (train, test), two
        ``rn.datasets.Loader``; None looks for MNIST, downloads it, and with neither files nor
        network reports that it uses generated digits.
    OPTIONS

    Returns
    -------
    TrainingResult
        With the weights of the epoch that had the least validation loss.

    Raises
    ------
    FileNotFoundError, FormatError
        If `data` names a folder without MNIST's files, or the files are broken.
    ValueError, TypeError
        If an argument is wrong, or the run to resume is another one.
    TrainingDiverged
        If the loss is not finite.
    FileExistsError
        If `out` holds a run that is neither to be resumed nor overwritten.
    OSError
        If `out` cannot be written.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(300, seed=1)
    >>> result = rn.train_mlp(((x, y), (x[:50], y[:50])), epochs=1, verbose=0)
    >>> result.model
    <Network 784 -> 512 -> 10, 407,050 parameters>
    """
    return _trained("mlp", MLP_LAYERS, (784,), data, options, MLP_OPTIONS)


@lists_options(CNN_OPTIONS)
def train_cnn(data: Data = None, **options: Unpack[ModelOptions]) -> TrainingResult:
    """Train the reference system's MNIST CNN: conv 8x3x3, ReLU, max-pool 2x2, dense.

    Batch 32, learning rate 0.01, 3 epochs, seed 1; result and errors are those of
    `train_mlp`.

    Parameters
    ----------
    data : path, name of a data set, arrays, loaders or None
        As for `train_mlp`.
    OPTIONS

    Returns
    -------
    TrainingResult
        As `train_mlp` returns it.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(300, seed=1)
    >>> rn.train_cnn(((x, y), (x[:50], y[:50])), epochs=1, verbose=0).model
    <Network 1x28x28 -> 8x28x28 -> 8x14x14 -> 1568 -> 10, 15,770 parameters>
    """
    return _trained("cnn", CNN_LAYERS, IMAGE, data, options, CNN_OPTIONS)


@lists_options(ATTENTION_OPTIONS)
def train_attention(
    data: Data = None,
    *,
    width: int = 64,
    ff: int = 128,
    **options: Unpack[ModelOptions],
) -> TrainingResult:
    """Train the reference system's attention model over 49 patches of 4x4 pixels.

    Patches, positions (sinusoidal, trained), ReLU, one head of self-attention, two dense
    layers token by token, the mean over tokens, dense. Batch 32, learning rate 0.01, 8
    epochs, seed 42.

    Parameters
    ----------
    data : path, name of a data set, arrays, loaders or None
        As for `train_mlp`.
    width, ff : int
        Width of a token and of the layer between; 16 and 32 are the reference's small
        preset.
    OPTIONS

    Returns
    -------
    TrainingResult
        Errors are those of `train_mlp`, too.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> data = ((x, y), (x[:50], y[:50]))
    >>> rn.train_attention(data, width=16, ff=32, epochs=1, verbose=0).model.output_shape
    (10,)
    """
    layers = attention_layers(width, ff)
    return _trained("attention", layers, IMAGE, data, options, ATTENTION_OPTIONS)


def _trained(
    kind: str,
    layers: list[Layer],
    input_shape: tuple[int, ...],
    data: Data,
    options: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> TrainingResult:
    """Train a model that has as many outputs as a named data set has classes."""
    given = with_config(options)
    found = loaders_of(data, input_shape) or data
    specs = _with_classes(with_activation(layers, given), found)
    return train_on(kind, specs, input_shape, found, given, defaults=defaults)


def _with_classes(specs: list[dict[str, Any]], data: object) -> list[dict[str, Any]]:
    """Return a model's specs with as many outputs as a named data set has classes."""
    classes = data.classes if isinstance(data, Loaders) else opening.classes_of(data)
    return specs if classes is None else [*specs[:-1], {**specs[-1], "units": classes}]


def untrained(
    model: str, data: object = None, **options: Unpack[ModelOptions]
) -> tuple[Network, Recipe]:
    """Return what training would begin with: a new model, and its recipe.

    Parameters
    ----------
    model : {"mlp", "cnn", "attention"} or path
        A reference model, or the JSON of an architecture or a recipe.
    data : as for `train_mlp`
        The name of a data set says how many outputs a reference model has.
    **options
        As for `train_mlp`; those that are not part of a recipe are ignored.

    Returns
    -------
    (Network, Recipe)
        The net with its first weights, and what it would be trained with.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net, recipe = rn.models.untrained("mlp")
    >>> net, recipe.epochs
    (<Network 784 -> 512 -> 10, 407,050 parameters>, 10)
    """
    from rnn_native.settings.architecture import Architecture

    known: dict[str, tuple[list[Layer], tuple[int, ...], dict[str, Any]]] = {
        "mlp": (MLP_LAYERS, (784,), MLP_OPTIONS),
        "cnn": (CNN_LAYERS, IMAGE, CNN_OPTIONS),
        "attention": (attention_layers(), IMAGE, ATTENTION_OPTIONS),
    }
    if model in known:
        layers, shape, defaults = known[model]
        given = with_config(options)
        specs = _with_classes(with_activation(layers, given), data)
        plan = Architecture(specs, shape, "softmax_cross_entropy")
    else:
        defaults = {}
        plan, given = planned(model, IMAGE, options)
    recipe = recipe_of(given, defaults, classes=outputs_of(plan.layers))
    optimizer, seed = recipe.optimizer, recipe.seed
    net = Network(plan.layers, plan.input_shape, plan.loss, seed, optimizer=optimizer)
    return net, recipe
