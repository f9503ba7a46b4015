"""The stick: laid out, written, verified, filled and read back, without root and without mounts."""
