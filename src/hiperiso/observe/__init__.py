"""Channels that turn what the guest does into events on one clock."""
