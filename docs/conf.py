"""Configure Sphinx for the documentation site: ``sphinx-build -W --keep-going -c docs . build/docs``.

The source folder is the root of the clone, so that one relative link holds on the site and on GitHub. Pages below
``docs/generated`` are written at each build. Nothing in the built pages is loaded from the network.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from generator.api import PACKAGES  # noqa: E402

project = "medkd"
author = copyright = "The medkd contributors"
root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "bundles/*/docs/README.md",
    "benchmarks/README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
]
exclude_patterns = ["docs/generator", "docs/theme"]
extensions = ["myst_parser", "autoapi.extension", "sphinx.ext.napoleon", "sphinx_copybutton", "generator.extension"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
default_role = "literal"  # docstrings name classes and arguments in single backquotes
napoleon_use_ivar = True  # attributes that a docstring names are defined in the class as well
smartquotes = False  # "--option" stays what one types

myst_enable_extensions = ["dollarmath", "attrs_block", "deflist"]
myst_heading_anchors = 4  # the anchors that GitHub gives
myst_dmath_double_inline = True
html_math_renderer = "mathml"

autoapi_dirs = [str(ROOT / "medkd")]
autoapi_root = "docs/generated/api"
autoapi_type = "python"
autoapi_options = ["members", "imported-members", "show-inheritance"]
autoapi_own_page_level = "module"
autoapi_python_class_content = "class"
autoapi_member_order = "alphabetical"
autoapi_add_toctree_entry = False
autoapi_keep_files = True  # a build that finds its cache does not write them again
# what the reference leaves out is not even read
autoapi_ignore = [
    f"*/medkd/{path.name}/*" for path in (ROOT / "medkd").iterdir() if f"medkd.{path.name}" not in PACKAGES
]
suppress_warnings = ["autoapi.python_import_resolution"]

html_theme = "furo"
html_title = "medkd"
html_static_path = [str(ROOT / "docs/theme")]
html_css_files = ["medkd.css"]
html_copy_source = False
html_show_sphinx = False
