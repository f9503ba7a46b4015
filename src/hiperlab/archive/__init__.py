"""Archives of users, for a stick."""
