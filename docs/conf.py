"""Sphinx: the pages of this folder, the tour, and the reference from docstrings."""

import rnn_native

project = "rnn_native"
version = release = rnn_native.__version__
html_title = f"rnn_native {version}"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_show_copyright = False

# Pages link to files beside docs/, too, and to folders; tests/test_docs.py sees that all of
# these exist.
suppress_warnings = ["myst.xref_missing"]
myst_heading_anchors = 3

# The tour is run whenever the site is made; an error in a cell ends that.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings give shapes, dtypes and units
numpydoc_show_class_members = False
