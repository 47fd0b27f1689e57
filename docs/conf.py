"""How Sphinx builds the documentation: `uv run nox -s docs`, then open docs/_build/html/index.html.

`repository_pages.py`, beside this file, makes a page of each package (its README, then what it exports), and
leads links between files of the repository to the pages of the site.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "UMML"
author = "The UMML toolkit's contributors"
copyright = author  # noqa: A001 - Sphinx's name for it
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "repository_pages",
]
# Sphinx's own page is search.html, so search.md is shown as more/searching.
exclude_patterns = ["_build", "search.md", "**/.ipynb_checkpoints"]

html_theme = "furo"
html_title = "UMML"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

default_role = "code"  # `this`, in docstrings
highlight_language = "text"  # a fence without a language holds commands or what they print
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
nb_execution_mode = "force"
nb_execution_show_tb = True  # a cell that fails is a warning, and so an error
nb_execution_timeout = 120
nb_merge_streams = True

autodoc_default_options = {"members": True, "no-value": True}
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False
napoleon_custom_sections = [("Class attributes", "Attributes"), ("Source", "Note")]
toc_object_entries_show_parents = "hide"
