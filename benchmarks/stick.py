"""How long the whole chain takes, from power on to the login of an ISO: firmware, GRUB, host kernel, recorder, guest.

A stick is built and started under QEMU, as a USB storage device on an emulated machine with one core, once for each way
to start (legacy BIOS, UEFI, UEFI with Secure Boot) and each way to run the guest (KVM, which the emulated processor
has; emulated). The times are of the serial console; what the recorder itself measured is the column "guest".
``--only bios-kvm`` (repeatable) makes a part. There is no bound: an emulated machine is far slower than a PC.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from integration.stick_machine import Console, Machine, machine

STARTS = ("bios-kvm", "uefi-kvm", "uefi-tcg", "secure-kvm")
SAMPLE = "isolinux-login"
OVERRIDES = {
    "*": {"cpus": 1, "ram": 256, "firmware": "bios", "display": "none"},
    "emulated*": {"accel": "tcg"},
}
MARKS = (
    ("recorder", "recording /ISOs"),
    ("QEMU starts", "status launching_qemu"),
    ("guest's kernel", "  kernel  "),
    ("login", "  login  "),
    ("report written", "recorded in"),
)
OPTIONS = ("--kernel-options", "quiet loglevel=4 panic=30 no_timer_check")
"""An emulated timer is late on a busy machine, which the kernel takes for a broken one."""
LONG_S = 900.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=STARTS, help="only this start")
    parser.add_argument("--payload", type=Path, help="a built payload, instead of a new one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-stick-") as scratch:
        stick = build_stick(Path(scratch), options.payload)
        print("| seconds since power on | GRUB's menu | " + " | ".join(name for name, _ in MARKS) + " |")
        print("|---" * (len(MARKS) + 2) + "|")
        for start in options.only or STARTS:
            firmware, _, accelerator = start.partition("-")
            kind = Machine(firmware, memory_mb=1024, cpu="max,la57=off")
            began = time.monotonic()
            with machine(stick, kind, Path(scratch)) as console:
                times = measure(console, firmware, accelerator)
            print(f"| {start} | " + " | ".join(f"{when - began:.1f}" for when in times) + " |", flush=True)
    return 0


def build_stick(scratch: Path, payload: Path | None) -> Path:
    """A stick with one ISO under two names: one is run with KVM, the other without."""
    if payload is None:
        payload = scratch / "payload"
        hiperiso("payload", "build", "--out", payload)
    image, config = scratch / "stick.img", scratch / "hiperiso.json"
    config.write_text(json.dumps({"iso_overrides": OVERRIDES}))
    hiperiso(
        "stick",
        "create",
        image,
        "--size",
        "300M",
        "--payload",
        payload,
        "--config",
        config,
        "--yes",
        *OPTIONS,
    )
    hiperiso("samples", "build", SAMPLE, "--out", scratch)
    names = [scratch / "a.iso", scratch / "emulated.iso"]
    (scratch / f"{SAMPLE}.iso").rename(names[0])
    names[1].hardlink_to(names[0])
    hiperiso("stick", "add", image, *names)
    return image


def measure(console: Console, firmware: str, accelerator: str) -> list[float]:
    """Choose the ISO and wait for each mark; returns when each came."""
    times = [console.wait_next("Power off", LONG_S)]
    down = accelerator == "tcg"
    if firmware == "secure":
        console.type("\r")
        console.wait_next("q: Leave", LONG_S)
        console.type("2\r" if down else "1\r")
    else:
        console.type("\x0e\r" if down else "\r")
    return times + [console.wait_next(words, LONG_S) for _, words in MARKS]


def hiperiso(*words: str | Path) -> None:
    """Run the command."""
    argv = [Path(sys.executable).with_name("hiperiso"), *words]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
