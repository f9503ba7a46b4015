"""Archives that are written without root."""
