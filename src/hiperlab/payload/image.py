"""The initramfs as a small archive around a compressed image, of which only what is used gets unpacked.

::

    initramfs.cpio.gz         two cpio archives, one behind the other
     (as it is: the kernel copies it, and that is all)
      image.squashfs          bin lib lib64 sbin usr: programs, libraries, Python, kernel modules, QEMU
     (packed with gzip)
      init                    shell script: loads two modules, mounts the image, starts PID 1 of bootchain
      early/busybox           the shell, before and after
      early/*.ko              loop and squashfs, with what they need
      bin -> image/bin  ...   so that every path is where it would be
      etc dev ...             what is written to

Unpacking everything costs two seconds of a machine that emulates, and half of it is never read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

from hiperiso.errors import HarnessFault
from hiperlab.archive import cpio
from hiperlab.initramfs.stage import stage
from hiperlab.run import PIPE, running_tool

IMAGE: Final = "image.squashfs"
MOUNT: Final = "image"
PID_1: Final = "usr/lib/bootchain/pid1"
BUSYBOX: Final = "early/busybox"

_IN_IMAGE = frozenset(("bin", "lib", "lib64", "sbin", "usr"))
_BLOCK_BYTES = 256 << 10
_PROGRESS = re.compile(rb"(\d{1,9})/(\d{1,9})\s+\d{1,3}%")
_INIT = f"""\
#!/{BUSYBOX} sh
b=/{BUSYBOX}
for module in @modules@; do
	$b insmod "/early/$module"
done
$b mount -t devtmpfs devtmpfs /dev
if $b mount -t squashfs -o ro,loop /{IMAGE} /{MOUNT}; then
	exec /usr/bin/python3 -IS /{PID_1} "$@"
fi
echo "hiperiso: the image in the initramfs cannot be mounted: is it whole?"
exec $b sh
"""


class Compression(StrEnum):
    """How the image is packed; the name of the initramfs is the contract's in any case."""

    ZSTD = "zstd"
    XZ = "xz"
    GZIP = "gzip"


_BEST = {Compression.ZSTD: 19, Compression.GZIP: 9}


def build_initramfs_file(
    entries: Iterable[cpio.Entry],
    early_modules: Iterable[Path],
    target: Path,
    *,
    scratch: Path,
    compression: Compression,
    level: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the initramfs; the same entries, modules and level give the same file.

    Args:
        entries: everything, at the paths where it shall be found; ``init`` is PID 1, started when all is there.
        early_modules: what it takes to mount the image, in the order in which it is loaded.
        target: the file to write.
        scratch: an empty folder.
        compression: of the image.
        level: how hard to try, as hard as possible when None; xz has no levels.
        progress: called with how many blocks of how many are packed.

    Raises:
        HarnessFault: mksquashfs is missing or fails.
        OSError: the file cannot be written.
    """
    inside, outside, busybox = _split(entries)
    modules = list(early_modules)
    folder, image = scratch / "tree", scratch / IMAGE
    folder.mkdir()
    stage(inside, folder)
    _squash(folder, image, compression, level, progress)
    script = _INIT.replace("@modules@", " ".join(path.name for path in modules))
    packed = cpio.regular(IMAGE, image.read_bytes())
    early = [
        cpio.regular("init", script.encode(), 0o755),
        cpio.regular(BUSYBOX, busybox, 0o755),
        *(cpio.regular(f"early/{path.name}", path.read_bytes()) for path in modules),
        cpio.directory(MOUNT),
        *(cpio.symlink(name, f"{MOUNT}/{name}") for name in sorted(_IN_IMAGE)),
        *outside,
    ]
    target.write_bytes(cpio.archive([packed]) + cpio.compressed(early, level=9))


def _split(entries: Iterable[cpio.Entry]) -> tuple[list[cpio.Entry], list[cpio.Entry], bytes]:
    """What lies in the image, what beside it, and busybox."""
    inside, outside, busybox = [], [], b""
    for entry in entries:
        if entry.name == "init":
            inside.append(replace(entry, name=PID_1))
        elif entry.name == "bin/busybox":
            busybox = entry.data
            inside.append(cpio.symlink(entry.name, f"/{BUSYBOX}"))
        elif entry.name.partition("/")[0] in _IN_IMAGE:
            inside.append(entry)
        else:
            outside.append(entry)
    return inside, outside, busybox


def _squash(
    folder: Path,
    image: Path,
    compression: Compression,
    level: int | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    argv = ["mksquashfs", str(folder), str(image), "-noappend", "-all-root", "-no-xattrs", "-progress"]
    argv += ["-b", str(_BLOCK_BYTES), "-comp", compression.value]
    if compression is Compression.XZ:
        argv += ["-Xbcj", "x86"]
    else:
        chosen = min(level or _BEST[compression], _BEST[compression])
        argv += ["-Xcompression-level", str(chosen)]
    no_times = {"SOURCE_DATE_EPOCH": "0"}  # mksquashfs takes it for the image and for every file
    with running_tool(argv, package="squashfs-tools", errors=PIPE, environment=no_times) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        _follow(process.stdout, progress)
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode != 0:
        raise HarnessFault(f"mksquashfs failed ({process.returncode}): {said}")


def _follow(output: IO[bytes], progress: Callable[[int, int], None] | None) -> None:
    """Read what mksquashfs says to its end, and tell how far it is."""
    rest = b""
    while data := output.read1(4096):  # type: ignore[attr-defined]
        rest = (rest + data)[-8192:]
        found = _PROGRESS.findall(rest)
        if found and progress:
            progress(int(found[-1][0]), int(found[-1][1]))
            rest = rest[-64:]
