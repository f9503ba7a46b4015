"""Guests with a known culprit: assembled, and what must be named for each."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("culprits.S")
DONE = "all done"
SILENT_S = 1000
EXPECTED = {
    "A": ("i8042", "status"),
    "B": ("8250 (COM1)", "LSR"),
    "C": ("RTC", "register D"),
    "D": ("PIT", "counter 0"),
    "E": ("AHCI", "port 4 PxSSTS"),
    "F": ("HPET", "main counter"),
    "G": ("ISA card at 0x300", "offset 0x6"),
    "H": ("PCI 00:1e.0", "vendor and device ID"),
    "I": ("RTC", "register B"),
    "J": ("AHCI", "port 4 PxCI"),
    "K": ("AHCI", "port 4 PxSSTS"),
    "L": ("AHCI", "port 5 Px"),
}
"""Letter -> the device, and how the name of the register begins."""


def disk_of_culprits(folder: Path) -> tuple[Path, list[str]]:
    """The disk that starts them, and the options for the disk that never answers: the BIOS gives it half a minute."""
    program, image = folder / "culprits.o", folder / "culprits.img"
    subprocess.run(["as", "--32", "-o", str(program), str(SOURCE)], check=True)
    link = ["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-o", str(image), str(program)]
    subprocess.run(link, check=True)
    image.write_bytes(image.read_bytes().ljust(8 << 20, b"\0"))
    # with a geometry of its own, which QEMU would read from the disk before it starts
    drive = f"if=none,id=dead,driver=null-co,size={8 << 20},latency-ns={SILENT_S * 10**9}"
    return image, [
        "--qemu-arg",
        f"-drive {drive} -device ide-hd,drive=dead,bus=ide.5,cyls=16,heads=16,secs=63",
    ]
