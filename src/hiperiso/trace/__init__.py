"""QEMU traces: which events are recorded at each tier, and their records as typed columns."""

from hiperiso.trace.tiers import select_events, tier_events, write_event_list

__all__ = ["select_events", "tier_events", "write_event_list"]
