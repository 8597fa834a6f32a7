"""An evaluation as one HTML page: no scripts, nothing to load, the same bytes for the same model.

`parts` has what a page is made of, and what a notebook shows of an `Interpretation`; `page`
puts it together.
"""

from rnn_native.report.page import evaluation_page

__all__ = ["evaluation_page"]
