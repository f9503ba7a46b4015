"""Packages of Debian and its relatives: found installed, or downloaded and unpacked without root."""
