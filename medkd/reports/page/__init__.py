"""A self-contained HTML page of an experiment or of single runs."""

from .write import write_page

__all__ = ["write_page"]
