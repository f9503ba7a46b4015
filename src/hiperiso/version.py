"""The version of the project, defined in `bootchain`, which imports no other package."""

from bootchain import __version__

__all__ = ["__version__"]
