"""Optuna searches for a learning rate and a width, and ends trials that do badly.

    python examples/optuna_search.py --trials 20

Each trial trains an MLP on generated digits. After each epoch `rn.PruningCallback` reports the
validation loss to Optuna; a trial whose loss is above the median of those before it, at the same
epoch, ends there.
"""

import argparse

import optuna

import rnn_native as rn


def data(digits):
    """Return rows to learn from and rows to test with."""
    train = rn.datasets.synthetic_digits(digits, seed=1)
    return train, rn.datasets.synthetic_digits(digits // 5, seed=2)


def objective_of(rows, epochs):
    """Return what Optuna minimizes: the best validation loss of a trial."""

    def objective(trial):
        lr = trial.suggest_float("lr", 1e-3, 1.0, log=True)
        units = trial.suggest_int("units", 8, 256, log=True)
        layers = [rn.Dense(units, "relu"), rn.Dense(10)]
        result = rn.train(
            layers,
            rows,
            input_shape=(784,),
            lr=lr,
            epochs=epochs,
            callbacks=[rn.PruningCallback(trial, monitor="val_loss")],
            verbose=0,
        )
        return min(result.history.history["val_loss"])

    return objective


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--digits", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=args.seed)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4)
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    study.optimize(objective_of(data(args.digits), args.epochs), n_trials=args.trials)
    pruned = sum(trial.state.name == "PRUNED" for trial in study.trials)
    print(f"{len(study.trials)} trials, {pruned} of them pruned")
    best = ", ".join(f"{name}={value:.4g}" for name, value in study.best_params.items())
    print(f"best: {best}, validation loss {study.best_value:.4f}")


if __name__ == "__main__":
    main()
