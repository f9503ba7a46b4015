"""``bootchained``: performs what the chain engine says. ``python -m bootchain.daemon --help``."""
