"""Packages of Debian and derivatives: taken from the system, or downloaded and unpacked without root."""
