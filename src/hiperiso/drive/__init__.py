"""Operates boot menus unattended: screens and events in, keys out. Pure; the session presses them."""
