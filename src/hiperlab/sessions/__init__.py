"""Recorded boots of a log root: found by name, listed, removed, packed into one file and taken from one."""
