"""Derives the settings of one boot from hiperiso.json, environment and command line."""
