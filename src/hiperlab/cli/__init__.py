"""The ``hiperiso`` command line."""
