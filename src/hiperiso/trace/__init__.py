"""QEMU trace events: which are recorded at each tier, and how QEMU is told."""

from hiperiso.trace.tiers import select_events, tier_events, write_event_list

__all__ = ["select_events", "tier_events", "write_event_list"]
