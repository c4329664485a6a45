"""Configuration of the documentation."""

import warnings

import matplotlib
from hyperspy.defaults_parser import preferences
from traits.etsconfig.api import ETSConfig

from hyperspy_cvae import __version__

# The gallery runs in this process: no windows, no toolkit, no progress bars, no hints to install.
matplotlib.use("Agg")
ETSConfig.toolkit = "null"
preferences.General.show_progressbar = False
preferences.General.logging_level = "ERROR"
# exspy 0.3 imports the lazy signals from where hyperspy 2.5 says it will not keep them.
warnings.filterwarnings("ignore", "Importing .Lazy")

project = "hyperspy_cvae"
copyright = "the developers of hyperspy_cvae"
release = version = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "accuracy.rst", "*_table.rst"]
default_role = "py:obj"

autodoc_typehints_format = "short"
maximum_signature_line_length = 88
python_use_unqualified_type_names = True
numpydoc_show_class_members = False
# Not PR01: where names and annotations say it all, a docstring does without a list of parameters.
numpydoc_validation_checks = {"GL03", "GL06", "GL07", "GL08", "PR02", "PR03", "RT02", "SS03"}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "capture_repr": ("_repr_html_",),
    "download_all_examples": False,
    "matplotlib_animations": False,
    "show_memory": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"hyperspy_cvae {version}"
html_sidebars = {"*": []}  # pages at the top have no section to navigate in
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_theme_options = {"show_toc_level": 2, "secondary_sidebar_items": ["page-toc"]}
