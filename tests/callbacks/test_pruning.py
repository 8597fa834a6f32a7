"""Optuna's pruning; skipped without Optuna."""

import pytest

import rnn_native as rn
from scripted import fit_scripted

optuna = pytest.importorskip("optuna")


def test_a_trial_that_does_badly_is_pruned_after_its_epoch():
    optuna.logging.disable_default_handler()
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=0.5))
    good, bad = [0.4, 0.3, 0.2], [0.4, 0.6, 0.2]

    def objective(trial):
        values = good if trial.number == 0 else bad
        fit_scripted("val_loss", values, lambda: rn.PruningCallback(trial))
        return values[-1]

    study.optimize(objective, n_trials=2)
    first, second = study.trials
    assert first.state.name == "COMPLETE" and second.state.name == "PRUNED"
    assert first.intermediate_values == dict(enumerate(good))
    assert second.intermediate_values == {0: 0.4, 1: 0.6}


def test_what_is_no_trial_and_an_unknown_column_are_refused():
    with pytest.raises(TypeError, match="trial: expected a trial of Optuna, got int"):
        rn.PruningCallback(3)
    trial = optuna.create_study().ask()
    with pytest.raises(ValueError, match="monitor: expected one of"):
        fit_scripted("val_loss", [0.1], lambda: rn.PruningCallback(trial, "val_los"))
