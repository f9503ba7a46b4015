"""Regenerate the pictures of docs/stick.md: builds a stick, boots it under QEMU, and captures its screen.

Two starts: UEFI, with a boot that is recorded under KVM (the emulated processor has AMD's virtualisation), and UEFI
with Secure Boot under the vendor's keys. Takes about five minutes; ``--only uefi`` or ``--only secure`` makes a part.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from integration.stick_machine import Console, Machine, machine  # noqa: E402 - found in the tests

SAMPLES = ("login-serial", "memtest", "debian-installer", "panic-no-root")
CONFIG = {
    "menu_alias": [
        {"image": "/ISOs/debian-installer.iso", "alias": "Debian 12, installer"},
        {"image": "/ISOs/login-serial.iso", "alias": "Small system with a login"},
    ],
    "menu_tip": [{"image": "/ISOs/memtest.iso", "tip": "tests the memory, for hours"}],
    "iso_overrides": {"*": {"cpus": 1, "ram": 512}, "login-serial.iso": {"display": "none"}},
    "theme": {"gfxmode": "800x600,auto"},
}
MAX_BYTES = 60_000
OPTIONS = ("--kernel-options", "quiet loglevel=4 panic=30 no_timer_check")
"""An emulated timer is late on a busy machine, which the kernel takes for a broken one."""
LONG_S = 600.0


def main() -> int:
    """Build a stick and take the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("uefi", "secure"))
    parser.add_argument("--payload", type=Path, help="a built payload, instead of a new one")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pictures-") as scratch:
        stick = build_stick(Path(scratch), options.payload)
        for name, take in (("uefi", take_uefi), ("secure", take_secure)):
            if options.only in (None, name):
                with machine(
                    stick, Machine(name, memory_mb=1536, cpu="max,la57=off"), Path(scratch)
                ) as console:
                    take(console, options.out)
    return 0


def build_stick(scratch: Path, payload: Path | None) -> Path:
    """A stick with some samples."""
    if payload is None:
        payload = scratch / "payload"
        hiperiso("payload", "build", "--out", payload)
    image, config, isos = scratch / "stick.img", scratch / "hiperiso.json", scratch / "isos"
    config.write_text(json.dumps(CONFIG))
    isos.mkdir()
    hiperiso(
        "stick",
        "create",
        image,
        "--size",
        "400M",
        "--payload",
        payload,
        "--config",
        config,
        "--yes",
        *OPTIONS,
    )
    for name in SAMPLES:
        hiperiso("samples", "build", name, "--out", isos)
    hiperiso("stick", "add", image, *(isos / f"{name}.iso" for name in SAMPLES))
    return image


def settle(console: Console, seconds: float) -> None:
    """Wait for the screen, which is drawn slightly later than the serial line."""
    end_s = time.monotonic() + seconds
    console.wait_until(lambda: time.monotonic() >= end_s, "time to pass", LONG_S)


def take_uefi(console: Console, out: Path) -> None:
    """The menu; the stages of a boot as they come; its summary."""
    console.wait_next("Power off", LONG_S)
    settle(console, 2)
    take(console, out / "stick-menu.png")
    console.type("\r")
    console.wait_next("  initramfs  ", LONG_S)
    take(console, out / "stick-stages.png")
    console.wait_next("hiperiso_after", LONG_S)
    settle(console, 1)
    take(console, out / "stick-summary.png")


def take_secure(console: Console, out: Path) -> None:
    """The list of ISOs as the recorder shows it, where the signed GRUB cannot."""
    console.wait_next("Power off", LONG_S)
    console.type("\r")
    console.wait_next("q: Leave", LONG_S)
    settle(console, 3)
    take(console, out / "stick-secure-boot.png")


def take(console: Console, target: Path) -> None:
    """Capture the screen."""
    size = console.photograph(target).stat().st_size
    print(f"{target}: {size} bytes" + (" - too large for a page" if size > MAX_BYTES else ""))


def hiperiso(*words: str | Path) -> None:
    """Run the command."""
    subprocess.run(
        [Path(sys.executable).with_name("hiperiso"), *words], check=True, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    sys.exit(main())
