"""The guest's screen on the machine's own screen, without a window system."""
