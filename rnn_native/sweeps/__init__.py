"""Many configurations of a net, trained on any executor."""

from rnn_native.sweeps.candidates import LogUniform, RandInt, Uniform
from rnn_native.sweeps.results import Row, SweepResult
from rnn_native.sweeps.sweep import sweep

__all__ = ["LogUniform", "RandInt", "Row", "SweepResult", "Uniform", "sweep"]
