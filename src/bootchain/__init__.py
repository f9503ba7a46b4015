"""bootchain: the chain engine that runs step-scripts one by one in an initramfs. Standard library only."""

__version__ = "0.2.0"
