"""The guest's screen on the screen of the machine itself, where there is no window system."""
