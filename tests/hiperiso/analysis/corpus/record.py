"""Records the corpus: builds guests of Debian packages, each broken (or not) in one way, boots them under QEMU (TCG)
and keeps what their channels said.

Run by hand, from the top of the checkout::

    python tests/hiperiso/analysis/corpus/record.py WORK_DIR [CASE ...]

Each case leaves WORK_DIR/CASE with the raw recording: ``serial.log``, ``firmware.log``, ``serial.chunks.jsonl``
(time, size), ``qmp.jsonl`` (time, event) and ``screens.jsonl`` (time, text). ``pack.py`` makes corpus cases of them.
"""

from __future__ import annotations

import gzip
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

INSTALLER: Final = Path("/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64")
KERNEL: Final = INSTALLER / "linux"
ISOLINUX: Final = Path("/usr/lib/ISOLINUX/isolinux.bin")
LDLINUX: Final = Path("/usr/lib/syslinux/modules/bios/ldlinux.c32")

_MOUNTS = "mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev 2>/dev/null"
INITS: Final = {
    "login": f"{_MOUNTS}; hostname corpus; exec getty -L ttyS0 115200 vt100",
    "login-vga": f"{_MOUNTS}; hostname corpus; exec getty 38400 tty1",
    "shell": f"{_MOUNTS}; echo 'Please press Enter to activate this console.'; exec sh",
    "exits": f"{_MOUNTS}; echo init is leaving; exit 3",
    "sysrq": f"{_MOUNTS}; echo c > /proc/sysrq-trigger",
    "poweroff": f"{_MOUNTS}; echo work done; poweroff -f",
    "reboot": f"{_MOUNTS}; echo once more; reboot -f",
    "oom": f"{_MOUNTS}; mount -t tmpfs -o size=100% t /tmp; dd if=/dev/zero of=/tmp/x bs=1M; sleep 1000",
    "segv": f"{_MOUNTS}; sh -c 'kill -SEGV $$'; kill -SEGV 1; exec /bin/crash",
    "busybox-init": f"{_MOUNTS}; exec /bin/busybox init",
    "silent": f"{_MOUNTS}; sleep 100000",
}
OVMF: Final = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_SECURE: Final = "/usr/share/OVMF/OVMF_CODE_4M.ms.fd"
VARS: Final = "/usr/share/OVMF/OVMF_VARS_4M.fd"
VARS_SECURE: Final = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"
VGA_TEXT: Final = 0xB8000
POLL_S: Final = 0.1


@dataclass(frozen=True)
class Case:
    """One guest: how it is made, on which firmware it runs, for how long it is watched."""

    seconds: float
    args: Callable[[Path], list[str]]
    firmware: str = "bios"
    until: str = ""  # text that ends the recording 2 s later
    ram: str = "512"


def initramfs(path: Path, init: str) -> Path:
    """Write a gzipped newc archive with busybox and the given ``/init`` shell script."""
    members: list[tuple[str, int, bytes]] = [
        (name, 0o040755, b"") for name in ("bin", "dev", "proc", "sys", "tmp", "etc")
    ]
    members.append(("bin/busybox", 0o100755, Path("/usr/bin/busybox").read_bytes()))
    applets = "sh mount echo getty hostname poweroff reboot sleep dd login cat kill"
    members += [(f"bin/{applet}", 0o120777, b"busybox") for applet in applets.split()]
    members.append(("init", 0o100755, f"#!/bin/sh\n{init}\n".encode()))
    path.write_bytes(gzip.compress(_newc(members), mtime=0))
    return path


def grub_iso(path: Path, config: str | None, files: dict[str, Path]) -> Path:
    """Write a hybrid BIOS and UEFI ISO with grub-mkrescue; without a config GRUB ends at its prompt."""
    tree = path.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "boot/grub").mkdir(parents=True)
    if config is not None:
        (tree / "boot/grub/grub.cfg").write_text(config)
    for name, source in files.items():
        shutil.copy(source, tree / "boot" / name)
    _run(["grub-mkrescue", "-o", str(path), str(tree)])
    return path


def without(path: Path, folder: str) -> Path:
    """Remove a folder from an ISO, keeping what makes it boot."""
    _run(["xorriso", "-boot_image", "any", "keep", "-dev", str(path), "-rm_r", folder, "--"])
    return path


def isolinux_iso(path: Path, config: str | None) -> Path:
    """Write a BIOS-only ISO with isolinux and no kernel at all."""
    tree = path.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "isolinux").mkdir(parents=True)
    shutil.copy(ISOLINUX, tree / "isolinux")
    shutil.copy(LDLINUX, tree / "isolinux")
    if config is not None:
        (tree / "isolinux/isolinux.cfg").write_text(config)
    boot = ["-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat"]
    flags = ["-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]
    _run(["xorriso", "-as", "mkisofs", "-o", str(path), *boot, *flags, str(tree)])
    return path


def blank_iso(path: Path) -> Path:
    """Write an ISO with one text file and no boot catalogue."""
    tree = path.with_suffix(".tree")
    tree.mkdir(exist_ok=True)
    (tree / "readme.txt").write_text("nothing to boot here\n")
    _run(["xorriso", "-as", "mkisofs", "-o", str(path), str(tree)])
    return path


def truncated(path: Path, source: Path, keep_bytes: int) -> Path:
    """Write the first ``keep_bytes`` of a file."""
    path.write_bytes(source.read_bytes()[:keep_bytes])
    return path


def _newc(members: list[tuple[str, int, bytes]]) -> bytes:
    out = bytearray()
    for number, (name, mode, body) in enumerate([*members, ("TRAILER!!!", 0, b"")], start=1):
        raw_name = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(raw_name), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + raw_name
        out += b"\0" * (-len(out) % 4) + body
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def _run(argv: list[str]) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)


def direct(init: str, append: str, **settings: Any) -> Case:
    def args(work: Path) -> list[str]:
        initrd = initramfs(work / "initrd.gz", INITS[init])
        return ["-kernel", str(KERNEL), "-initrd", str(initrd), "-append", append]

    return Case(args=args, **settings)


def iso(make: Callable[[Path], Path], **settings: Any) -> Case:
    return Case(args=lambda work: ["-cdrom", str(make(work))], **settings)


GRUB_SERIAL = (
    "serial --unit=0 --speed=115200\n"
    "terminal_input serial console\nterminal_output serial console\nset timeout=2\n"
)
MISSING = (
    "menuentry 'Live system' {\n linux /boot/vmlinuz-missing console=ttyS0\n initrd /boot/initrd-missing\n}\n"
)
INSTALL = "menuentry 'Install' {\n linux /boot/linux console=ttyS0\n initrd /boot/initrd.gz\n}\n"
INSTALL_FILES = {"linux": KERNEL, "initrd.gz": INSTALLER / "initrd.gz"}
S0 = "console=ttyS0"


def grub_rescue(work: Path) -> Path:
    return without(grub_iso(work / "cd.iso", MISSING, {}), "/boot/grub/i386-pc")


def installer(_: Path) -> list[str]:
    return ["-kernel", str(KERNEL), "-initrd", str(INSTALLER / "initrd.gz"), "-append", S0]


def truncated_initrd(work: Path) -> list[str]:
    initrd = truncated(work / "initrd.gz", INSTALLER / "initrd.gz", 3_000_000)
    return ["-kernel", str(KERNEL), "-initrd", str(initrd), "-append", S0]


def grub(config: str | None, files: dict[str, Path] | None = None) -> Callable[[Path], Path]:
    return lambda work: grub_iso(work / "cd.iso", config, files or {})


def isolinux(config: str | None) -> Callable[[Path], Path]:
    return lambda work: isolinux_iso(work / "cd.iso", config)


CASES: Final = {
    "busybox-login": direct("login", S0, seconds=60, until="corpus login:"),
    "init-exits": direct("exits", S0, seconds=60, until="end Kernel panic"),
    "sysrq-panic": direct("sysrq", S0, seconds=60, until="end Kernel panic"),
    "poweroff": direct("poweroff", S0, seconds=60),
    "busybox-shell": direct("shell", S0, seconds=60, until="activate this console"),
    "memtest-bios": iso(lambda _: Path("/usr/lib/memtest86+/memtest86+x64.iso"), seconds=25),
    "seabios-blank-cd": iso(lambda work: blank_iso(work / "cd.iso"), seconds=15),
    "grub-missing-kernel": iso(grub(GRUB_SERIAL + MISSING), seconds=25),
    "grub-missing-kernel-vga": iso(grub("set timeout=1\n" + MISSING), seconds=25),
    "grub-no-config": iso(grub(None), seconds=20),
    "isolinux-missing-kernel": iso(
        isolinux("SERIAL 0 115200\nDEFAULT live\nLABEL live\n KERNEL vmlinuz\n"), seconds=15
    ),
    "isolinux-no-config": iso(isolinux(None), seconds=15),
    "ovmf-nothing": Case(seconds=60, args=lambda _: [], firmware="uefi", until="UEFI Interactive Shell"),
    "ovmf-bios-only-iso": iso(
        isolinux("DEFAULT live\nLABEL live\n KERNEL vmlinuz\n"),
        seconds=60,
        firmware="uefi",
        until="Interactive Shell",
    ),
    "ovmf-secure-boot-denied": iso(grub(GRUB_SERIAL + MISSING), seconds=60, firmware="secure"),
    "ipxe": iso(lambda _: Path("/usr/lib/ipxe/ipxe.iso"), seconds=40),
    "no-root": Case(
        seconds=60,
        args=lambda _: ["-kernel", str(KERNEL), "-append", "console=ttyS0 root=/dev/sda1"],
        until="end Kernel panic",
    ),
    "truncated-initrd": Case(seconds=90, args=truncated_initrd, until="end Kernel panic", ram="1024"),
    "login-vga-only": direct("login-vga", "console=tty0", seconds=60),
    "reboot-loop": direct("reboot", S0, seconds=60),
    "silent-userspace": direct("silent", S0, seconds=25),
    "out-of-memory": direct("oom", S0, seconds=60, until="end Kernel panic", ram="160"),
    "installer-serial": Case(seconds=150, args=installer, until="Select a language", ram="1024"),
    "installer-grub-uefi": iso(
        grub(GRUB_SERIAL + INSTALL, INSTALL_FILES),
        seconds=220,
        firmware="uefi",
        until="Select a language",
        ram="1024",
    ),
    "memtest-uefi": iso(lambda _: Path("/usr/lib/memtest86+/memtest86+x64.iso"), seconds=40, firmware="uefi"),
    "grub-rescue": iso(grub_rescue, seconds=20),
    "busybox-init": direct("busybox-init", S0, seconds=60, until="activate this console"),
    "installer-low-memory": Case(seconds=90, args=installer, until="end Kernel panic", ram="128"),
    "ovmf-missing-kernel": iso(
        grub(GRUB_SERIAL + MISSING), seconds=60, firmware="uefi", until="Press any key"
    ),
}


@dataclass
class Qmp:
    """A minimal QMP client for this script: commands in order, events kept with their time."""

    sock: socket.socket
    start: float
    events: list[tuple[float, str, Any]] = field(default_factory=list)
    buffer: bytes = b""

    def call(self, command: str, **arguments: Any) -> Any:
        self.sock.settimeout(120)
        self.sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        for message in self.messages():
            if "return" in message or "error" in message:
                return message.get("return")
        return None

    def messages(self) -> Iterator[dict[str, Any]]:
        while True:
            while b"\n" in self.buffer:
                line, self.buffer = self.buffer.split(b"\n", 1)
                message: dict[str, Any] = json.loads(line)
                if "event" in message:
                    self.events.append(
                        (time.monotonic() - self.start, message["event"], message.get("data", {}))
                    )
                yield message
            try:
                data = self.sock.recv(65536)
            except (TimeoutError, BlockingIOError):
                return
            if not data:
                raise ConnectionError
            self.buffer += data

    def drain(self) -> None:
        self.sock.setblocking(False)
        for _ in self.messages():
            pass


def record(name: str, case: Case, work: Path) -> None:
    """Boot one case and keep its raw channels in ``work/name``."""
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in ("serial.log", "firmware.log", "qmp.sock"):
        (folder / old).unlink(missing_ok=True)
    argv = _argv(case, folder)
    ours, theirs = socket.socketpair()
    with ExitStack() as stack:
        stack.enter_context(ours)
        argv += ["-chardev", f"socket,id=m,fd={theirs.fileno()}", "-mon", "chardev=m,mode=control"]
        process = subprocess.Popen(argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)
        theirs.close()
        qmp = Qmp(ours, time.monotonic())
        chunks, screens = _watch(case, folder, qmp)
    _lines(folder / "serial.chunks.jsonl", chunks)
    _lines(folder / "screens.jsonl", screens)
    _lines(folder / "qmp.jsonl", qmp.events)


def _watch(case: Case, folder: Path, qmp: Qmp) -> tuple[list[Any], list[Any]]:
    chunks: list[Any] = []
    screens: list[Any] = []
    seen_bytes = 0
    stop_at = case.seconds
    qmp.call("qmp_capabilities")
    while (now := time.monotonic() - qmp.start) < stop_at:
        time.sleep(POLL_S)  # passes: the recording of a guest is a series of looks at it
        data = (folder / "serial.log").read_bytes() if (folder / "serial.log").exists() else b""
        if len(data) > seen_bytes:
            chunks.append((round(now, 2), len(data) - seen_bytes))
            seen_bytes = len(data)
        try:
            qmp.drain()
            text = _screen(qmp, folder)
        except (ConnectionError, OSError):
            break
        if text and (not screens or screens[-1][1] != text):
            screens.append((round(now, 2), text))
        if case.until and (case.until.encode() in data or case.until in text):
            stop_at = min(stop_at, now + 2)
    return chunks, screens


def _screen(qmp: Qmp, folder: Path) -> str:
    dump = folder / "vga.bin"
    qmp.call("pmemsave", val=VGA_TEXT, size=32768, filename=str(dump))
    if not dump.exists():
        return ""
    origin = 0
    for register in (0x0C, 0x0D):
        qmp.call("human-monitor-command", **{"command-line": f"o/b 0x3d4 {register:#x}"})
        reply = str(qmp.call("human-monitor-command", **{"command-line": "i/b 0x3d5"}))
        origin = origin << 8 | int(reply.rpartition("=")[2].strip() or "0", 16)
    cells = dump.read_bytes()[origin * 2 :][:4000]
    rows = [
        cells[row * 160 : row * 160 + 160 : 2].decode("cp437").replace("\0", " ").rstrip()
        for row in range(25)
    ]
    return "\n".join(rows).rstrip("\n")


def _argv(case: Case, folder: Path) -> list[str]:
    argv = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-m", case.ram, "-smp", "1"]
    argv += ["-display", "none", "-nic", "none", "-boot", "order=d,menu=off", "-vga", "std"]
    argv += ["-serial", f"file:{folder / 'serial.log'}"]
    argv += ["-chardev", f"file,id=fw,path={folder / 'firmware.log'}"]
    argv += ["-device", "isa-debugcon,iobase=0x402,chardev=fw"]
    if case.firmware != "bios":
        code, variables = (OVMF_SECURE, VARS_SECURE) if case.firmware == "secure" else (OVMF, VARS)
        copy = folder / "vars.fd"
        copy.write_bytes(Path(variables).read_bytes())
        argv += ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}"]
        argv += ["-drive", f"if=pflash,format=raw,unit=1,file={copy}"]
        if case.firmware == "secure":
            argv[2] += ",smm=on"
            argv += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    return argv + case.args(folder)


def _lines(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def main() -> None:
    work = Path(sys.argv[1])
    for name in sys.argv[2:] or CASES:
        began = time.monotonic()
        record(name, CASES[name], work)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
