"""The command line: one file per verb; `main.py` lists them."""

__version__ = "0.1.0"
