"""A session as one page for the browser."""

from hiperiso.analysis.html.page import render_html, write_html

__all__ = ["render_html", "write_html"]
