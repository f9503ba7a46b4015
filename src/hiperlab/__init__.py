"""hiperlab: the workstation tools: command line, samples, reports."""
