"""The version of the project. It stands in `bootchain`, which has nothing below it."""

from bootchain import __version__

__all__ = ["__version__"]
