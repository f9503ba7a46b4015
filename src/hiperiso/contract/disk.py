"""disk.json: what the guest read from the ISO, when, and how much."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Place(StrEnum):
    """The kind of content at a position of the medium."""

    FILE = "file"
    DIRECTORY = "directory"
    BOOT_IMAGE = "boot_image"
    STRUCTURE = "structure"
    NO_FILE = "no_file"
    OUTSIDE = "outside"
    UNMAPPED = "unmapped"


class FileRead(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the ISO, or another area of it, that was read.

    ``path`` is the path in the ISO, or a name in brackets where there is no file. ``order`` counts from 1 in the order
    of the first reads. ``size_bytes`` is 0 if unknown. ``bytes_unique`` counts each byte once. ``over_time`` has a row
    for each second with reads: second, requests, bytes; at most ``MAX_SECONDS`` of them.
    """

    path: str
    place: Place
    order: int
    lba: int
    size_bytes: int
    bytes_read: int
    bytes_unique: int
    requests: int
    first_s: float
    last_s: float
    over_time: list[tuple[int, int, int]] = []


class RootImage(msgspec.Struct, frozen=True, kw_only=True):
    """The file that holds the system's root (a squashfs, most often) and when it was first read."""

    path: str
    first_s: float


class DiskSummary(msgspec.Struct, frozen=True, kw_only=True):
    """disk.json.

    ``heat`` and ``covered`` have one number for each of the equally sized buckets of the medium (``bucket_bytes``):
    bytes read, and how many of the bucket's bytes were read at least once. ``busy_s`` is the time in which one read
    followed the last within ``BUSY_GAP_S``. ``waiting_s`` is how long the guest waited for the medium: from each
    command to its completion, if the drive traces both; if not, ``waiting_estimated`` is true and ``waiting_s`` is
    ``busy_s``, an upper bound. ``longest_wait_s`` is the longest single command, null if unknown.
    ``files`` is ordered by ``bytes_read`` and holds the first of many; ``files_left_out`` counts the rest.
    """

    iso_path: str
    iso_bytes: int
    mapped: bool
    file_systems: list[str]
    complete: bool
    requests: int
    bytes_read: int
    bytes_unique: int
    first_s: float | None
    last_s: float | None
    busy_s: float
    root_image: RootImage | None
    bucket_bytes: int
    heat: list[int]
    covered: list[int]
    files: list[FileRead]
    files_left_out: int
    waiting_s: float | None = None
    waiting_estimated: bool = True
    longest_wait_s: float | None = None


MAX_SECONDS = 600
BUSY_GAP_S = 0.1
"""Reads that follow one another within this time are one stretch of reading."""
