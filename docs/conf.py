"""Sphinx: the pages of this folder, the tour, and the reference from docstrings."""

import re

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import rnn_native

project = "rnn_native"
version = release = rnn_native.__version__
html_title = f"rnn_native {version}"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
myst_heading_anchors = 3

# The tour is run whenever the site is made; an error in a cell ends that.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings give shapes, dtypes and units
numpydoc_show_class_members = False

# Single backquotes in docstrings are links, and those that lead nowhere are warnings. Words
# without a capital or a dot may be parameters instead, as X and T_max are; `ax.images` and
# `net.params` are attributes of one: these need no target, nor do names of other packages.
nitpicky = True
default_role = "py:obj"
PREFIXES = "ax|history|model|net|network_|run|self|numpy|sklearn|torch"
nitpick_ignore_regex = [
    ("py:obj", rf"[^.A-Z(]*(\(.*\))?|({PREFIXES})\..*|X|X_val|T_max"),
    ("py:class", ".*"),  # types are words, "array of shape (n, 784)"
]


def find_as_users_write_it(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element
) -> Element | None:
    """Find `rn.Dense` and `rnn_native.Dense` where they live, and `Network.fit` anywhere."""
    target = re.sub(r"\(.*\)$", "", node["reftarget"])
    if node.get("refdomain") != "py" or not re.search("[.A-Z]", target):
        return None
    name = re.sub(r"^(rn|rnn_native)\.", "", target)
    home = rnn_native._HOME.get(name, "").removeprefix("base.runtime")
    node["refspecific"] = True
    place, kind = node.get("refdoc"), node["reftype"]
    return env.domains["py"].resolve_xref(
        env, place, app.builder, kind, f"{home}.{name}".strip("."), node, content
    )


def lead_to_the_sites_copy(app: Sphinx, name: str, source: list[str]) -> None:
    """Let links to Markdown beside this folder lead to the pages in `project`."""
    source[0] = re.sub(
        r"\]\(\.\./((?:\.\./)*)(?:(?=[A-Z])|benchmarks/)([A-Z]+|learning_rates|measured|pictures|recipes|results|rl|scale|shapes|sklearn|threads)\.md",
        lambda link: f"]({link[1]}project/{link[2].lower()}.md",
        source[0],
    )


def setup(app: Sphinx) -> None:
    """Install both."""
    app.connect("missing-reference", find_as_users_write_it)
    app.connect("source-read", lead_to_the_sites_copy)
