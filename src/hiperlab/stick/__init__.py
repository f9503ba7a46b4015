"""Sticks: creates, verifies, fills and reads them, without root and without mounts."""
