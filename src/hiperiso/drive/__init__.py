"""Hands for a boot that nobody sits in front of: looks and events in, keys out. Pure; the session presses them."""
