"""Recorded boots of a log root: finds them by name, lists, removes, exports and imports them."""
