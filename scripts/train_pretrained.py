"""Train the model that the package ships, on real MNIST: rnn_native/pretrained.safetensors.

python scripts/train_pretrained.py [FILE]
"""

import sys

import rnn_native as rn
from rnn_native import checkpoint, pretrained

LAYERS = [
    rn.Conv2D(8, 3, padding=1, activation="relu"),
    rn.MaxPool2D(2),
    rn.Conv2D(16, 3, padding=1, activation="relu"),
    rn.MaxPool2D(2),
    rn.Flatten(),
    rn.Dropout(0.3),
    rn.Dense(64, "relu"),
    rn.Dense(10),
]
EPOCHS = 8

result = rn.models.train_layers(
    "pretrained",
    LAYERS,
    (1, 28, 28),
    rn.datasets.load_mnist(),
    {
        "epochs": EPOCHS,
        "optimizer": "adam",
        "schedule": rn.schedules.OneCycle(0.004, EPOCHS),
    },
)
facts = {"test_accuracy": result.test_accuracy, "test_loss": result.test_loss}
checkpoint.save(result.model, sys.argv[1] if len(sys.argv) > 1 else pretrained.PATH, facts)
print(result)
