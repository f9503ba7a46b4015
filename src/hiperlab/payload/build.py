"""Builds a payload: a directory that ``hiperiso stick create`` writes to sticks.

::

    vmlinuz
    initramfs.cpio.gz    system: bootchain as PID 1, busybox, bash, Python, kernel modules   (hiperlab.initramfs)
                         recorder: hiperiso and its libraries                                (.python)
                         qemu: program, libraries, modules; firmware                         (.qemu)
                         kexec, swtpm
    OVMF.fd  trace/*.events
    manifest.json        hashes (hiperlab.stick.payload)
    components.json      the content (.components)

The same inputs give the same bytes. A directory is replaced only when the new one is complete.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import hiperiso
from hiperiso.contract.stick import ESP_BYTES
from hiperiso.contract.words import TraceLevel
from hiperiso.errors import HarnessFault, UsageError
from hiperiso.images import cpio
from hiperiso.machine.qemu import find_qemu, qemu_version, trace_events
from hiperiso.packages import install_hint
from hiperiso.trace.tiers import write_event_list
from hiperlab.debian.packages import BUSYBOX, Asset, Sources
from hiperlab.initramfs import InitramfsSpec, Kernel, initramfs_entries
from hiperlab.initramfs.kernel import load_order
from hiperlab.initramfs.libraries import program_entries
from hiperlab.payload.components import (
    BOOT_LOADERS_BYTES,
    EXTRA_BYTES,
    SPARE_BYTES,
    Component,
    PayloadInfo,
    write_info,
)
from hiperlab.payload.compression import Compression
from hiperlab.payload.filesystems import data_filesystems
from hiperlab.payload.image import build_initramfs_file
from hiperlab.payload.kernel import EARLY, LATE, LOADED, MODULES, choose_kernel
from hiperlab.payload.python import LIBRARIES, PLACE, on_stick, recorder_entries
from hiperlab.payload.qemu import firmware_entries, ovmf_image, qemu_entries, secure_boot_entries
from hiperlab.run import run_text
from hiperlab.stick.payload import write_manifest
from hiperlab.stick.unmet import SECURE_BOOT, SWTPM
from hiperlab.systempython import INTERPRETER

INITRAMFS: Final = "initramfs.cpio.gz"
STEP: Final = "lib/bootchain/hiperiso.py"
START: Final = "hiperiso.stick.step"

_KEXEC = Asset("kexec-tools", ("sbin/kexec", "usr/sbin/kexec"))
_SETPRIV = Asset("util-linux", ("bin/setpriv", "usr/bin/setpriv"))
_SWTPM = ("swtpm", "swtpm_setup", "swtpm_localca")


@dataclass(frozen=True, kw_only=True)
class PayloadSpec:
    """What to build.

    Attributes:
        kernel: a bzImage; None takes the distribution's.
        modules: its modules.
        compression: of the image in the initramfs.
        level: of the compression; None compresses as much as possible, and checks that the result fits a stick.
        swtpm: whether to include the software TPM.
        secure_boot: whether to include the UEFI firmware that checks signatures.
    """

    kernel: Path | None = None
    modules: Path | None = None
    compression: Compression = Compression.ZSTD
    level: int | None = None
    swtpm: bool = False
    secure_boot: bool = False


def build_payload(
    spec: PayloadSpec,
    target: Path,
    *,
    sources: Sources,
    progress: Callable[[int, int], None] | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> PayloadInfo:
    """Build the payload directory `target`; an existing one is replaced at the end.

    Args:
        spec: what to build.
        target: the directory; its parent is created.
        sources: where packages come from.
        progress: called during compression with the number of finished blocks and the total.
        on_step: called with the description of each step.

    Raises:
        UsageError: `target` is something else, or a file of the user is invalid.
        HarnessFault: something is missing on this machine, or the payload does not fit a stick.
        OSError: the folder cannot be written.
    """
    # Python names the files of its modules from the root, which distinguishes them.
    target = target.absolute()
    _check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    on_step("finding the kernel")
    kernel = choose_kernel(sources, spec.kernel, spec.modules)
    with tempfile.TemporaryDirectory(prefix=".payload-", dir=target.parent) as scratch:
        folder = Path(scratch, "payload")
        folder.mkdir()
        entries, components = _collect(spec, kernel, sources, Path(scratch), on_step)
        on_step(f"packing the initramfs ({spec.compression})")
        image = Path(scratch, "image")
        image.mkdir()
        build_initramfs_file(
            entries,
            load_order(kernel, EARLY),
            folder / INITRAMFS,
            scratch=image,
            compression=spec.compression,
            level=spec.level,
            progress=progress,
        )
        outside = _write_outside(folder, kernel)
        info = PayloadInfo(
            components=(*outside, *components),
            files={
                path.relative_to(folder).as_posix(): path.stat().st_size
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            },
            compression=spec.compression,
        )
        if spec.level is None:  # an explicit level is for quick test builds
            _check_size(info, SPARE_BYTES - EXTRA_BYTES * (spec.swtpm + spec.secure_boot))
        write_manifest(
            folder,
            versions={part.name: part.version for part in info.components},
            filesystems=data_filesystems(kernel.modules),
        )
        write_info(folder, info)
        _replace(folder, target, Path(scratch, "old"))
    return info


def _collect(
    spec: PayloadSpec, kernel: Kernel, sources: Sources, scratch: Path, on_step: Callable[[str], None]
) -> tuple[list[cpio.Entry], list[Component]]:
    """All entries of the initramfs, without duplicate names, and their components."""
    system, recorder = scratch / "system", scratch / "recorder"
    system.mkdir()
    recorder.mkdir()
    files = {
        "init": on_stick("_init.py"),
        STEP: on_stick("_step.py"),
        "etc/modprobe.d/late.conf": "".join(f"blacklist {name}\n" for name in LATE),
    }
    initramfs = InitramfsSpec(modules=MODULES, loaded=LOADED, files=files)
    parts: list[tuple[str, str, Callable[[], Iterable[cpio.Entry]]]] = [
        ("system", "", lambda: initramfs_entries(initramfs, sources, kernel, system)),
        ("recorder", hiperiso.__version__, lambda: recorder_entries(recorder, start=START)),
        ("qemu", qemu_version(find_qemu()), qemu_entries),
        ("firmware", "", firmware_entries),
        ("kexec", "", lambda: _where_there(sources, _KEXEC, "sbin/kexec")),
        ("setpriv", "", lambda: _where_there(sources, _SETPRIV, "usr/bin/setpriv")),
    ]
    if spec.swtpm:
        parts.append((SWTPM, "", _swtpm))
    if spec.secure_boot:
        parts.append((SECURE_BOOT, "", secure_boot_entries))
    entries: list[cpio.Entry] = []
    seen: set[str] = set()
    components: list[Component] = []
    for name, version, make in parts:
        on_step(f"collecting: {name}")
        new = []
        for entry in make():
            if entry.name not in seen:
                seen.update(str(parent) for parent in PurePosixPath(entry.name).parents)
                seen.add(entry.name)
                new.append(entry)
        entries += new
        components += _components(name, version, new, kernel, sources)
    return entries, components


def _components(
    part: str, version: str, entries: list[cpio.Entry], kernel: Kernel, sources: Sources
) -> list[Component]:
    """The components of one part: those of system and recorder are distinguished by the paths of their files."""
    groups: dict[str, list[cpio.Entry]] = {}
    for entry in entries:
        if stat.S_ISREG(entry.mode):
            groups.setdefault(_group(part, entry.name), []).append(entry)
    versions = _versions(kernel, sources)
    return [
        Component(
            name=name,
            version=versions.get(name, "") or version,
            size_bytes=sum(len(entry.data) for entry in group),
            files=len(group),
            where=INITRAMFS,
        )
        for name, group in sorted(groups.items())
    ]


_GROUPS: Final = {
    "system": (
        ("lib/modules/", "kernel modules"),
        ("bin/busybox", "busybox"),
        ("bin/bash", "bash"),
        ("usr/lib/bootchain/", "bootchain"),
        ("usr/lib/python3", "python"),
        ("usr/bin/python3", "python"),
        ("lib/terminfo/", "terminfo"),
        ("lib/x86_64-linux-gnu/", "system libraries"),
        ("lib64/", "system libraries"),
        ("usr/lib/", "system libraries"),
    ),
    "recorder": (
        *((f"{PLACE}/{name}/".replace(".", "/").lstrip("/"), name) for name in ("hiperiso", *LIBRARIES)),
        ("usr/lib/python3", "python for the recorder"),
        ("", "libraries of the recorder"),
    ),
    "qemu": (("usr/bin/", "qemu"), ("", "libraries of qemu")),
}


def _group(part: str, name: str) -> str:
    return next(
        (group for prefix, group in _GROUPS.get(part, ()) if name.startswith(prefix)),
        part,
    )


def _versions(kernel: Kernel, sources: Sources) -> dict[str, str]:
    python = run_text([str(INTERPRETER), "--version"], package="python3").split()[-1]
    busybox = run_text([str(sources.find(BUSYBOX)), "--help"], package=BUSYBOX.package).split()
    return {
        "kernel modules": kernel.release,
        "busybox": busybox[1] if len(busybox) > 1 else "",
        "python": python,
        "python for the recorder": python,
        "bootchain": hiperiso.__version__,
        "msgspec": importlib.metadata.version("msgspec"),
        "qemu.qmp": importlib.metadata.version("qemu.qmp"),
    }


def _where_there(sources: Sources, asset: Asset, name: str) -> Iterator[cpio.Entry]:
    """A program if the distribution has it: without kexec a stick still boots through the hypervisor, and
    without setpriv QEMU starts slightly later.
    """
    try:
        path = sources.find(asset)
    except HarnessFault:
        return
    yield from program_entries([(name, path)])


def _swtpm() -> Iterator[cpio.Entry]:
    programs = [(f"usr/bin/{name}", shutil.which(name)) for name in _SWTPM]
    if programs[0][1] is None:
        raise HarnessFault("swtpm is not installed", hint=install_hint("swtpm"))
    yield from program_entries([(name, Path(path).resolve()) for name, path in programs if path])


def _write_outside(folder: Path, kernel: Kernel) -> list[Component]:
    """The files beside the initramfs."""
    shutil.copyfile(kernel.image, folder / "vmlinuz")
    (folder / "OVMF.fd").write_bytes(ovmf_image())
    (folder / "trace").mkdir()
    known = trace_events(find_qemu())
    levels = [level for level in TraceLevel if level is not TraceLevel.NONE]
    for level in levels:
        write_event_list(folder / "trace" / f"{level}.events", level, known)
    return [
        _outside("kernel", kernel.release, [folder / "vmlinuz"], "vmlinuz"),
        _outside("OVMF", "", [folder / "OVMF.fd"], "OVMF.fd"),
        _outside("trace events", hiperiso.__version__, sorted((folder / "trace").iterdir()), "trace"),
    ]


def _outside(name: str, version: str, paths: list[Path], where: str) -> Component:
    size_bytes = sum(path.stat().st_size for path in paths)
    return Component(name=name, version=version, size_bytes=size_bytes, files=len(paths), where=where)


def _check_size(info: PayloadInfo, spare_bytes: int) -> None:
    if info.free_bytes < spare_bytes:
        raise HarnessFault(
            f"the payload has {info.size_bytes >> 20} MB: beside the boot loaders ({BOOT_LOADERS_BYTES >> 20} MB) it "
            f"would leave less than {spare_bytes >> 20} MB of the {ESP_BYTES >> 20} MB partition free",
            hint="use a stronger compression (--compress xz), or omit something",
        )


def _check_target(target: Path) -> None:
    if target.exists() and not (target.is_dir() and _is_ours(target)):
        raise UsageError(
            f"{target} exists and is not a payload", hint="choose another directory with --out, or remove it"
        )


def _is_ours(folder: Path) -> bool:
    return not any(folder.iterdir()) or (folder / "manifest.json").is_file()


def _replace(folder: Path, target: Path, old: Path) -> None:
    """Replace `target` by `folder`; the previous content is moved to `old`."""
    if target.exists():
        target.rename(old)
    folder.rename(target)
