"""Write the files by which later versions show that they read what this one wrote.

python scripts/write_version_files.py

They go to tests/data/VERSION, VERSION being that of the package that is imported: tiny models
of several kinds, runs that can be resumed, exports, settings and logs, and what this version
predicts from them (expected.npz, expected.json). Run it once, at the release of a version, with
that release's code; files of an older version are never written again.

Inputs are drawn from numpy.random.RandomState, whose stream NumPy keeps: `inputs` below is
also what tests/formats/test_compatibility.py draws them with.
"""

import argparse
import json
import pickle
import sys
from pathlib import Path

import numpy as np

import rnn_native as rn
from rnn_native import attention_text, checkpoint, legacy, npy_folder

ROOT = Path(__file__).parent.parent
ROWS, SEED = 24, 20240801
GREATEST = 20_000  # bytes of a file

NETS = {
    "dense": ([rn.Dense(8, "relu"), rn.Dense(3)], (12,), "softmax_cross_entropy"),
    "norms": (
        [
            rn.Dense(8),
            rn.LayerNorm(),
            rn.Activation("gelu"),
            rn.Dropout(0.25),
            rn.Dense(8, "leaky_relu", alpha=0.1),
            rn.RMSNorm(),
            rn.Dense(3),
        ],
        (12,),
        "softmax_cross_entropy",
    ),
    "conv": (
        [
            rn.Conv2D(3, 3, padding=1, activation="relu"),
            rn.MaxPool2D(2),
            rn.Flatten(),
            rn.Dense(4),
        ],
        (1, 8, 8),
        "softmax_cross_entropy",
    ),
    "batchnorm": (
        [
            rn.Conv2D(3, 3, stride=2),
            rn.BatchNorm(),
            rn.Activation("relu"),
            rn.AvgPool2D(2, stride=1),
            rn.Flatten(),
            rn.Dense(4),
        ],
        (2, 8, 8),
        "softmax_cross_entropy",
    ),
    "attention": (
        [
            rn.PatchEmbed(4, 8),
            rn.Position(),
            rn.Activation("relu"),
            rn.SelfAttention(),
            rn.Dense(8, "relu"),
            rn.Dense(8),
            rn.MeanPool(),
            rn.Dense(4),
        ],
        (1, 8, 8),
        "softmax_cross_entropy",
    ),
    "heads": (
        [
            rn.PatchEmbed(4, 8),
            rn.Position(init="zero", trainable=False),
            rn.SelfAttention(heads=2, out_proj=True, residual=True),
            rn.MeanPool(),
            rn.Dense(4),
        ],
        (1, 8, 8),
        "softmax_cross_entropy",
    ),
    "regression": ([rn.Dense(8, "tanh"), rn.Dense(1)], (12,), "squared_error"),
    "yes_or_no": ([rn.Dense(8, "elu"), rn.Dense(1)], (12,), "sigmoid_cross_entropy"),
    "several_labels": ([rn.Dense(8, "silu"), rn.Dense(3)], (12,), "sigmoid_cross_entropy"),
    "counts": ([rn.Dense(8, "sigmoid"), rn.Dense(1)], (12,), "poisson"),
}
"""Layers, input shape and loss by name. Nets of images are for uint8, the others for floats."""

TWICE = {
    "sigmoid_twice": (
        [rn.Dense(8, "elu"), rn.Dense(1, "sigmoid")],
        "sigmoid_cross_entropy",
    ),
    "softmax_twice": (
        [rn.Dense(8, "elu"), rn.Dense(3), rn.Softmax()],
        "softmax_cross_entropy",
    ),
}
"""Nets to which 0.1.0 applied the last activation twice, of 12 floats."""

RUNS = {
    "dense": {"optimizer": "adam", "lr": 0.02, "batch_size": 7},
    "batchnorm": {
        "optimizer": {"type": "sgd", "momentum": 0.9, "nesterov": True},
        "lr": 0.05,
        "batch_size": 5,
        "ema_decay": 0.9,
        "schedule": rn.schedules.CosineAnnealing(0.05, 4, 0.001),
    },
    "regression": {"optimizer": "adamw", "lr": 0.01, "batch_size": 6},
}
"""Options of the runs of these nets: two epochs are written, two more are to be resumed."""

SETTINGS = {
    "training": {
        "optimizer": {"type": "sgd", "momentum": 0.9, "nesterov": True},
        "learning_rate": 0.05,
        "batch_size": 16,
        "epochs": 3,
        "seed": 7,
        "scheduler_type": "step_decay",
        "step_size": 2,
        "gamma": 0.25,
        "warmup_epochs": 1,
        "validation_split": 0.2,
        "stratify": True,
        "patience": 2,
        "label_smoothing": 0.1,
        "clip_norm": 5,
        "l2": 0.001,
        "mixup": 0.2,
        "ema_decay": 0.99,
        "augment": {"shift": 1, "rotation": 5},
        "class_weight": {"3": 2.5},
        "activation_function": "elu",
        "elu_alpha": 0.5,
    },
    "reference_training": {
        "scheduler_type": "cosine_annealing",
        "min_lr": 0.0001,
        "T_max": 10,
        "activation_function": "leaky_relu",
        "leaky_relu_alpha": 0.02,
    },
    "architecture": {
        "input_shape": [1, 28, 28],
        "loss": "softmax_cross_entropy",
        "layers": [
            {"type": "conv2d", "filters": 4, "kernel_size": 3, "activation": "relu"},
            {"type": "batchnorm"},
            {"type": "maxpool2d"},
            {"type": "flatten"},
            {"type": "dropout", "rate": 0.1},
            {"type": "dense", "units": 10},
        ],
    },
    "reference_architecture": {
        "layers": [
            {
                "layer_type": "conv2d",
                "in_channels": 1,
                "out_channels": 2,
                "kernel_size": 3,
                "padding": 1,
                "input_height": 28,
                "input_width": 28,
                "activation": "relu",
            },
            {"layer_type": "dense", "input_size": 1568, "output_size": 10},
        ]
    },
    "recipe": {
        "description": "A net and how to train it.",
        "architecture": {
            "input_shape": [784],
            "layers": [
                {"type": "dense", "units": 16, "activation": "relu"},
                {"type": "dense", "units": 10},
            ],
        },
        "training": {
            "optimizer": {"type": "adamw", "weight_decay": 0.02},
            "learning_rate": 0.003,
            "epochs": 2,
            "scheduler_type": "one_cycle",
            "validation_split": 0,
            "patience": 0,
        },
    },
}


def inputs(shape: tuple[int, ...], loss: str, outputs: int) -> tuple[np.ndarray, ...]:
    """Return rows and targets for a net, always the same."""
    draw = np.random.RandomState(SEED)
    if len(shape) == 1:
        x = draw.random_sample((ROWS, *shape)).astype(np.float32)
    else:
        x = draw.randint(0, 256, (ROWS, *shape)).astype(np.uint8)
    if loss == "softmax_cross_entropy":
        return x, draw.randint(0, outputs, ROWS).astype(np.int32)
    values = draw.random_sample((ROWS, outputs)).astype(np.float32)
    if loss == "sigmoid_cross_entropy":
        values = (values > 0.5).astype(np.float32)
    return x, np.round(3 * values) if loss == "poisson" else values


def write(folder: Path) -> None:
    """Write everything into a folder, which must be new."""
    for name in ("models", "runs", "exports", "settings", "logs"):
        (folder / name).mkdir(parents=True)
    outputs: dict[str, np.ndarray] = {}
    nets = _write_models(folder / "models", folder / "logs", outputs)
    _write_exports(folder / "exports", nets, outputs)
    best = _write_runs(folder / "runs", outputs)
    settings = _write_settings(folder / "settings")
    np.savez_compressed(folder / "expected.npz", **outputs)
    facts = {
        "version": rn.__version__,
        "rows": ROWS,
        "seed": SEED,
        "nets": {n: {"shape": s, "loss": loss} for n, (_, s, loss) in NETS.items()},
        "twice": list(TWICE),
        "runs": best,
        "settings": settings,
    }
    (folder / "expected.json").write_text(json.dumps(facts, indent=1) + "\n")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size > GREATEST:
            sys.exit(f"{path}: {path.stat().st_size} bytes, expected at most {GREATEST}")


def _write_models(
    folder: Path, logs: Path, outputs: dict[str, np.ndarray]
) -> dict[str, rn.Network]:
    """Write a trained net of each kind, in every format that holds it."""
    nets = {}
    twice = {name: (layers, (12,), loss) for name, (layers, loss) in TWICE.items()}
    for name, (layers, shape, loss) in {**NETS, **twice}.items():
        net = rn.Network(layers, shape, loss, seed=3, optimizer="adam")
        x, y = inputs(shape, loss, net.output_shape[0])
        watcher = [rn.callbacks.CSVLogger(logs / "keras.csv")] if name == "dense" else []
        net.fit(x, y, epochs=3, batch_size=8, lr=0.01, seed=4, callbacks=watcher, verbose=0)
        checkpoint.save(
            net, folder / f"{name}.safetensors", {"loss": net.evaluate(x, y)[0]}
        )
        outputs[name] = net.predict_proba(x)
        nets[name] = net
    legacy.write_legacy(nets["dense"], folder / "dense.bin")
    legacy.write_legacy(nets["dense"], folder / "dense64.bin", 8)
    npy_folder.write_npy_folder(nets["dense"], folder / "dense_npy")
    (folder / "dense.pickle").write_bytes(pickle.dumps(nets["dense"], protocol=4))
    _write_estimator(folder / "classifier.pickle", outputs)
    # Trained in one native call, a row at a time; its files are those of a run.
    xor = rn.train_xor(epochs=20_000, lr=0.5, out=folder.parent / "runs" / "xor", verbose=0)
    outputs["xor"] = xor.model.predict_proba(rn.models.XOR_X)
    maps = nets["attention"].attention_maps(
        inputs((1, 8, 8), "softmax_cross_entropy", 4)[0][:2]
    )
    attention_text.write_attention(
        logs / "attention_weights.txt", dict(enumerate(maps)), "attention"
    )
    outputs["attention_maps"] = maps
    return nets


def _write_estimator(path: Path, outputs: dict[str, np.ndarray]) -> None:
    from rnn_native.sklearn import MLPClassifier

    x, y = inputs((12,), "softmax_cross_entropy", 3)
    estimator = MLPClassifier((6,), max_iter=20, random_state=3).fit(x, y)
    path.write_bytes(pickle.dumps(estimator, protocol=4))
    outputs["classifier"] = estimator.predict_proba(x)


def _write_exports(
    folder: Path, nets: dict[str, rn.Network], outputs: dict[str, np.ndarray]
) -> None:
    rn.export.to_c(nets["conv"], folder / "conv.c")
    rn.export.to_c(nets["conv"], folder / "conv_int8.c", int8=True)
    rn.export.to_onnx(nets["conv"], folder / "conv.onnx")
    rn.export.save_torch(nets["conv"], folder / "conv_torch.safetensors")
    x, _ = inputs((1, 8, 8), "softmax_cross_entropy", 4)
    outputs["conv_int8"] = rn.export.rounded_to_int8(nets["conv"]).predict_proba(x)


def _write_runs(folder: Path, outputs: dict[str, np.ndarray]) -> dict[str, dict]:
    """Write the runs as two epochs left them; note what two more make of them."""
    found = {}
    for name, options in RUNS.items():
        layers, shape, loss = NETS[name]
        net = rn.Network(layers, shape, loss)
        x, y = inputs(shape, loss, net.output_shape[0])
        data = ((x, y), (x, y))
        known = {"seed": 5, "validation_split": 0.25, "patience": None, "verbose": 0}
        known.update(options)
        rn.train(net.architecture(), data, epochs=2, out=folder / name, **known)
        outputs[f"run_{name}"] = rn.load(folder / name).predict_proba(x)
        whole = rn.train(net.architecture(), data, epochs=4, **known)
        outputs[f"resumed_{name}"] = whole.model.predict_proba(x)
        found[name] = [row.val_loss for row in whole.history]
    return found


def _write_settings(folder: Path) -> dict[str, dict]:
    """Write a settings file of each kind; note what it means."""
    meaning = {}
    for name, content in SETTINGS.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(content, indent=1) + "\n")
        if name.endswith("training"):
            net, recipe = rn.models.untrained("mlp", config=path)
        else:
            net, recipe = rn.models.untrained(str(path))
        meaning[name] = {"architecture": net.architecture(), "recipe": recipe.as_dict()}
    return meaning


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    write(ROOT / "tests" / "data" / rn.__version__)
