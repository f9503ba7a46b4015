"""Walks every file system that an image declares, once, and notes the structures around them.

Never raises for the image's content and ends within the reader's limits; of an image that exceeds them, only the part
read so far is known (``complete`` is False).
"""

from __future__ import annotations

from contextlib import suppress

from hiperiso.contract.disk import Place
from hiperiso.iso import iso9660, udf
from hiperiso.iso.contents import RANK_BOOT, RANK_STRUCTURE, Contents
from hiperiso.iso.descriptors import FIRST_SECTOR, Descriptors, read_descriptors
from hiperiso.iso.eltorito import catalog_sector, read_boot_entries
from hiperiso.iso.reader import SECTOR_BYTES, ImageReader, LimitReached

MAX_SECTORS = 1 << 25
"""Larger images are known up to here (64 GiB)."""

_MAX_BOOT_IMAGES = 64


def read_contents(reader: ImageReader) -> Contents:
    """The content of an image."""
    contents = Contents(min(-(-reader.size_bytes // SECTOR_BYTES), MAX_SECTORS))
    with suppress(LimitReached):
        descriptors = read_descriptors(reader)
        contents.complete = _walk(reader, descriptors, contents)
        _claim_boot_images(reader, contents, descriptors)
        _claim_structures(contents, descriptors)
    return contents


def _walk(reader: ImageReader, descriptors: Descriptors, contents: Contents) -> bool:
    """Every file system, the one with the best names first: shared content gets its names."""
    try:
        volumes = iso9660.volumes(reader, descriptors)
        first = [volume for volume in volumes if volume.rock_ridge]
        for volume in first:
            iso9660.walk(reader, volume, contents)
        udf.walk(reader, contents)
        for volume in volumes:
            if volume not in first:
                iso9660.walk(reader, volume, contents)
    except LimitReached:
        return False
    return True


def _claim_structures(contents: Contents, descriptors: Descriptors) -> None:
    system = contents.add(-1, "[system area]", Place.STRUCTURE)
    contents.claim(system, 0, FIRST_SECTOR, RANK_STRUCTURE)
    volume = contents.add(-1, "[volume descriptors]", Place.STRUCTURE, lba=FIRST_SECTOR)
    contents.claim(volume, FIRST_SECTOR, len(descriptors.sectors), RANK_STRUCTURE)
    tables = contents.add(-1, "[path tables]", Place.STRUCTURE)
    for sector in descriptors.volumes:
        block_bytes = int.from_bytes(sector[128:130], "little") or SECTOR_BYTES
        size_bytes = int.from_bytes(sector[132:136], "little")
        little, big = int.from_bytes(sector[140:144], "little"), int.from_bytes(sector[148:152], "big")
        for block in (little, big):
            start = block * block_bytes // SECTOR_BYTES
            contents.claim(tables, start, -(-size_bytes // SECTOR_BYTES), RANK_STRUCTURE)
    if descriptors.boot_record:
        start = catalog_sector(descriptors.boot_record)
        node = contents.add(-1, "[boot catalogue]", Place.STRUCTURE, lba=start)
        contents.claim(node, start, 1, RANK_STRUCTURE)


def _claim_boot_images(reader: ImageReader, contents: Contents, descriptors: Descriptors) -> None:
    if descriptors.boot_record is None:
        return
    for entry in read_boot_entries(reader, descriptors.boot_record)[:_MAX_BOOT_IMAGES]:
        name = f"[boot image for {entry.platform.value}]"
        node = contents.add(-1, name, Place.BOOT_IMAGE, size_bytes=entry.size_bytes, lba=entry.load_sector)
        contents.claim(node, entry.load_sector, -(-entry.size_bytes // SECTOR_BYTES), RANK_BOOT)
