"""Many boots of one ISO: run in parallel, evaluated together, shown as one table with one exit code."""
