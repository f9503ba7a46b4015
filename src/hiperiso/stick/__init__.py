"""The step ``hiperiso``: the recorder on a machine booted from a stick."""
