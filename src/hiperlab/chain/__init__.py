"""Chains on the workstation: explain a command line, run it on real images, check step-scripts."""
