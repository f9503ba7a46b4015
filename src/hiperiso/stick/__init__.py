"""The step ``hiperiso``: what the recorder does on the machine that was started from a stick."""
