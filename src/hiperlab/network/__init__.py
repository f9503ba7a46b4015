"""Reads the recorded traffic of a guest (network.pcap) with dpkt."""
