"""Pictures: training curves, mistakes, weights, attention.

Functions draw into `ax` and return it; without one they make a new figure, which is
`ax.figure`. Those whose picture has several panels return the figure. Nothing is shown and
pyplot is never imported, so no display is needed and no figure stays open. matplotlib is
imported by the first function that draws.
"""

from rnn_native.plots.attention import (
    MAX_SAMPLES,
    attention_figure,
    attention_map,
    attention_over_image,
    attention_over_images,
    token_attention,
    token_figure,
)
from rnn_native.plots.classification import confusion_matrix, worst_mistakes
from rnn_native.plots.figures import save_figure
from rnn_native.plots.history import compare_runs, lr_curve, plot_history
from rnn_native.plots.interpretation import (
    reliability_diagram,
    saliency_over_images,
    top_losses,
)
from rnn_native.plots.report import console_summary, training_report
from rnn_native.plots.runs import open_runs
from rnn_native.plots.weights import conv_filters, first_layer_weights

__all__ = [
    "MAX_SAMPLES",
    "attention_figure",
    "attention_map",
    "attention_over_image",
    "attention_over_images",
    "compare_runs",
    "confusion_matrix",
    "console_summary",
    "conv_filters",
    "first_layer_weights",
    "lr_curve",
    "open_runs",
    "plot_history",
    "reliability_diagram",
    "saliency_over_images",
    "save_figure",
    "token_attention",
    "token_figure",
    "top_losses",
    "training_report",
    "worst_mistakes",
]
