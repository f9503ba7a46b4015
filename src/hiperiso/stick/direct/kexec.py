"""kexec: replaces the running kernel by another one, without the firmware.

``kexec_file_load`` is tried first: it accepts 64-bit kernels and, under Secure Boot, those whose signature the running
kernel trusts. Kernels that it does not support (32-bit ones) are left to the program ``kexec``, if it is installed.

Sources: kexec_file_load(2), reboot(2), Documentation/admin-guide/sysctl/kernel.rst (``kexec_load_disabled``).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from hiperiso.errors import HarnessFault
from hiperiso.stick.partition import available_mb, run

_SYSCALL_NUMBERS: Final = {"x86_64": 320}
_NO_INITRAMFS: Final = 4
_REBOOT_KEXEC: Final = 0x45584543
_DISABLED: Final = Path("/proc/sys/kernel/kexec_load_disabled")
_PIECE_BYTES: Final = 8 << 20
_WHY: Final = {
    errno.EPERM: "the kernel of the stick does not allow it (Secure Boot locks it down)",
    errno.EKEYREJECTED: "its signature is not one that the kernel of the stick trusts (Secure Boot)",
    errno.ENODATA: "it is not signed, and the kernel of the stick only starts signed ones (Secure Boot)",
    errno.EBADMSG: "its signature is broken",
    errno.ENOPKG: "its signature cannot be checked here",
    errno.ENOSYS: "the kernel of the stick was built without kexec",
    errno.ENOEXEC: "it is not a kernel that kexec supports",
    errno.ENOMEM: "there is not enough memory for it and its initramfs",
    errno.EBUSY: "another kernel is being loaded",
}


def load_kernel(
    kernel: Path, initrds: Sequence[Path], arguments: str, *, run: Callable[[Sequence[str]], str] = run
) -> None:
    """Load a kernel with its initramfs archives, concatenated as by boot loaders.

    Raises:
        HarnessFault: it cannot be loaded; nothing has changed.
    """
    if _is_disabled():
        raise HarnessFault("kexec is switched off on this machine (kexec_load_disabled)")
    _check_room([kernel, *initrds], available_mb())
    try:
        memory = os.memfd_create("initramfs", os.MFD_CLOEXEC)
    except OSError as error:
        raise HarnessFault(f"no memory for an initramfs: {error.strerror}") from None
    try:
        for path in initrds:
            _append(memory, path)
        number = _file_load(kernel, memory if initrds else -1, arguments)
        if number == errno.ENOEXEC and shutil.which("kexec"):
            _load_by_program(kernel, memory if initrds else -1, arguments, run)
        elif number:
            why = _WHY.get(number, os.strerror(number))
            raise HarnessFault(f"kexec cannot take the kernel {kernel.name}: {why}")
    except OSError as error:
        raise HarnessFault(f"kexec: the kernel or its initramfs cannot be read: {error.strerror}") from None
    finally:
        os.close(memory)


def start_loaded_kernel() -> HarnessFault:
    """Start the loaded kernel; returns only on failure, with the reason."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.reboot(ctypes.c_int(_REBOOT_KEXEC))
    return HarnessFault(f"kexec: the loaded kernel does not start: {os.strerror(ctypes.get_errno())}")


def _file_load(kernel: Path, initramfs: int, arguments: str) -> int:
    """0, or the errno."""
    number = _SYSCALL_NUMBERS.get(platform.machine())
    if number is None:
        return errno.ENOSYS
    libc = ctypes.CDLL(None, use_errno=True)
    text = os.fsencode(arguments) + b"\0"
    descriptor = os.open(kernel, os.O_RDONLY | os.O_CLOEXEC)
    try:
        done = libc.syscall(
            ctypes.c_long(number),
            ctypes.c_int(descriptor),
            ctypes.c_int(initramfs),
            ctypes.c_ulong(len(text)),
            ctypes.c_char_p(text),
            ctypes.c_ulong(_NO_INITRAMFS if initramfs < 0 else 0),
        )
        return ctypes.get_errno() if done else 0
    finally:
        os.close(descriptor)


def _load_by_program(
    kernel: Path, initramfs: int, arguments: str, run: Callable[[Sequence[str]], str]
) -> None:
    argv = ["kexec", "-c", "-l", str(kernel), f"--command-line={arguments}"]
    if initramfs >= 0:
        argv.append(f"--initrd=/proc/{os.getpid()}/fd/{initramfs}")
    if why := run(argv):
        raise HarnessFault(f"kexec cannot take the kernel {kernel.name}: {why}")


def _check_room(paths: Sequence[Path], available_mb: int) -> None:
    """Raises HarnessFault: not enough memory for two copies of these files, ours and the kernel's."""
    try:
        needed_mb = 2 * sum(path.stat().st_size for path in paths) >> 20
    except OSError as error:
        raise HarnessFault(f"kexec: the kernel or its initramfs cannot be read: {error.strerror}") from None
    if available_mb and needed_mb > available_mb:
        raise HarnessFault(
            f"kexec: {_WHY[errno.ENOMEM]}: {needed_mb} MB are needed and {available_mb} MB are free"
        )


def _append(memory: int, path: Path) -> None:
    """The kernel requires each archive to begin at a multiple of four bytes."""
    with path.open("rb") as file:
        while data := file.read(_PIECE_BYTES):
            _write_all(memory, data)
    _write_all(memory, bytes(-os.lseek(memory, 0, os.SEEK_END) % 4))


def _write_all(memory: int, data: bytes) -> None:
    """On low memory only a part is written first, and the next call raises the error."""
    while data:
        data = data[os.write(memory, data) :]


def _is_disabled() -> bool:
    try:
        return _DISABLED.read_text().strip() != "0"
    except OSError:
        return False
