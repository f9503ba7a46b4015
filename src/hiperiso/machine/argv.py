"""MachineSpec to QEMU's command line: a pure function.

Knowledge: QEMU's manual (system/invocation); measured with QEMU 7.2. What the options rest on:

- ``-nodefaults -no-user-config``: nothing in the machine that is not named here.
- RAM as a *shared* mapping lets the recorder read the guest's memory; it costs nothing measurable.
- ``isa-debugcon`` at 0x402 is where SeaBIOS writes its log. Redirecting its screen to serial (sgabios,
  ``etc/sercon-port``) would put text on the serial port that the ISO never sent.
- The sandbox denies new processes, other user ids and scheduling changes to QEMU itself. With a GTK window new
  processes are allowed: the toolkit starts helpers (session bus, accessibility), and QEMU would die of SIGSYS.
- Reset, shutdown and panic keep the process (and the guest's memory) until the recorder ends it; QMP events tell.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from hiperiso.contract.words import Display, Vga
from hiperiso.machine.spec import Accel, MachineSpec, TraceBackend, TraceSpec, Uefi


def qemu_argv(spec: MachineSpec) -> list[str]:
    """The command that runs `spec`, binary first."""
    return [
        str(spec.qemu),
        *("-name", _escape(spec.name)),
        *("-nodefaults", "-no-user-config"),
        *_sandbox(spec),
        *_board(spec),
        *_firmware(spec),
        *("-action", "reboot=reset,shutdown=pause,panic=pause"),
        *("-rtc", "base=utc"),
        *_medium(spec),
        *_consoles(spec),
        *_monitors(spec),
        *_screen(spec),
        *_network(spec),
        *("-object", "rng-builtin,id=rng0", "-device", "virtio-rng-pci,rng=rng0"),
        *(_trace(spec.trace) if spec.trace else ()),
    ]


def quote_cmdline(argv: Sequence[str]) -> str:
    """`argv` as one line that can be pasted into a shell."""
    return shlex.join(argv)


def _sandbox(spec: MachineSpec) -> list[str]:
    spawn = "allow" if spec.display is Display.GTK else "deny"
    return ["-sandbox", f"on,obsolete=deny,elevateprivileges=deny,spawn={spawn},resourcecontrol=deny"]


def _board(spec: MachineSpec) -> list[str]:
    smm = ",smm=on" if isinstance(spec.firmware, Uefi) and spec.firmware.smm else ""
    ram = f"id=ram,size={spec.ram_mb}M,share=on"
    backend = f"memory-backend-file,{ram},mem-path={_escape(spec.ram_path)}" if spec.ram_path else None
    model = "host" if spec.accel is Accel.KVM else "max"
    return [
        *("-machine", f"q35,accel={spec.accel.value},memory-backend=ram{smm}"),
        *("-m", f"{spec.ram_mb}M"),
        *("-object", backend or f"memory-backend-memfd,{ram}"),
        *("-smp", str(spec.cpus)),
        *("-cpu", ",".join([model, *(f"+{feature}" for feature in spec.cpu_features)])),
    ]


def _firmware(spec: MachineSpec) -> list[str]:
    firmware = spec.firmware
    if not isinstance(firmware, Uefi):
        return ["-bios", str(firmware.image)] if firmware.image else []
    if firmware.variables is None:
        return ["-bios", str(firmware.code)]
    secure = ["-global", "driver=cfi.pflash01,property=secure,value=on"] if firmware.smm else []
    return [
        *secure,
        "-drive",
        f"if=pflash,unit=0,format={firmware.code_format},readonly=on,file={_escape(firmware.code)}",
        "-drive",
        f"if=pflash,unit=1,format={firmware.variables_format},file={_escape(firmware.variables)}",
    ]


def _medium(spec: MachineSpec) -> list[str]:
    load = spec.direct_load
    first = "bootindex=0" if load is None else "bootindex=1"  # QEMU gives a kernel the first place
    drive = [
        *("-drive", f"if=none,id=iso,media=cdrom,format=raw,readonly=on,file={_escape(spec.iso)}"),
        *("-device", f"ide-cd,id=cd0,bus=ide.0,drive=iso,{first}"),
    ]
    if load is None:
        return drive
    argv = ["-kernel", str(load.kernel)]
    argv += ["-initrd", str(load.initrd)] if load.initrd else []
    argv += ["-append", load.append] if load.append else []
    return argv + (drive if load.drive else [])


def _consoles(spec: MachineSpec) -> list[str]:
    return [
        *("-chardev", f"file,id=serial0,path={_escape(spec.serial_log)},append=on"),
        *("-device", "isa-serial,chardev=serial0"),
        *("-chardev", f"file,id=firmware,path={_escape(spec.firmware_log)},append=on"),
        *("-device", "isa-debugcon,iobase=0x402,chardev=firmware"),
    ]


def _monitors(spec: MachineSpec) -> list[str]:
    return [
        *("-chardev", f"socket,id=qmp,path={_escape(spec.qmp_socket)},server=on,wait=off"),
        *("-mon", "chardev=qmp,mode=control"),
        *("-chardev", f"socket,id=monitor,path={_escape(spec.monitor_socket)},server=on,wait=off"),
        *("-mon", "chardev=monitor,mode=readline"),
    ]


_VGA: dict[Vga, tuple[str, ...]] = {
    Vga.NONE: ("-vga", "none"),
    Vga.STD: ("-vga", "std"),
    Vga.VIRTIO: ("-vga", "virtio"),
}


def _screen(spec: MachineSpec) -> list[str]:
    argv = list(_VGA[spec.vga])
    if spec.display is Display.NONE:
        # One who looks on beside the recording: the machine stays the one that it is without.
        served = ["-vnc", f"unix:{_escape(spec.vnc_socket)},lock-key-sync=off"] if spec.vnc_socket else []
        return [*argv, "-display", "none", *served]
    # A tablet only where a person points at the screen: USB makes the firmware slower.
    argv += ["-device", "qemu-xhci,id=xhci", "-device", "usb-tablet,bus=xhci.0"]
    if spec.display is Display.GTK:
        return [*argv, "-display", "gtk"]
    where = f"unix:{_escape(spec.vnc_socket)}" if spec.vnc_socket else "127.0.0.1:0,to=99"
    return [*argv, "-vnc", where]


def _network(spec: MachineSpec) -> list[str]:
    if spec.network_pcap is None:
        return ["-nic", "none"]
    return [
        *("-netdev", "user,id=net0"),
        # Without an option ROM: the BIOS does not try the network when the CD does not boot.
        *("-device", "virtio-net-pci,netdev=net0,romfile="),
        *("-object", f"filter-dump,id=pcap0,netdev=net0,file={_escape(spec.network_pcap)}"),
    ]


def _trace(trace: TraceSpec) -> list[str]:
    events = f"events={_escape(trace.events)}"
    if trace.backend is TraceBackend.SIMPLE:
        return ["-trace", f"{events},file={_escape(trace.output)}"]
    return ["-trace", events, "-D", str(trace.output), "-msg", "timestamp=on"]


def _escape(value: Path | str) -> str:
    """A value inside a QEMU option list, where a comma is written twice."""
    return str(value).replace(",", ",,")
