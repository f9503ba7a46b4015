"""The files, fields and words of the session directory: one definition for code, schema and docs."""
