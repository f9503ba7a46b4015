"""QEMU traces as files that other tools read: Parquet and Arrow."""
