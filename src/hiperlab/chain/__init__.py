"""Chains on the workstation: what a command line would do, running one on real images, checking step-scripts."""
