"""Many boots of one ISO: run side by side, judged together, shown as one table with one exit code."""
