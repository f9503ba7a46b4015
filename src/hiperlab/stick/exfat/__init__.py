"""exFAT on any seekable file, written and read without a mount.

Source: Microsoft's published exFAT specification (sections 3 to 7 for the structures, 7.2 for the up-case table).
"""

from hiperlab.stick.exfat.format import format_exfat
from hiperlab.stick.exfat.volume import ExfatVolume

__all__ = ["ExfatVolume", "format_exfat"]
