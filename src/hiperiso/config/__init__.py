"""From hiperiso.json, environment and command line to the settings of one boot."""
