"""The version of hiperiso; below everything, so that everything can name it."""

__version__ = "0.1.0"
