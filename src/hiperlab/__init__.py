"""hiperlab: everything for a person at a workstation: command line, samples, reports."""
