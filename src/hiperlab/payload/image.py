"""The initramfs as a small archive around a compressed image, of which only the used parts are unpacked.

::

    initramfs.cpio.gz         two concatenated cpio archives
     (uncompressed: the kernel only copies it)
      image.squashfs          bin lib lib64 sbin usr: programs, libraries, Python, kernel modules, QEMU
     (packed with gzip)
      init                    shell script: loads two modules, mounts the image, starts PID 1 of bootchain
      early/busybox           the shell, before and after
      early/*.ko              loop and squashfs, with their dependencies
      bin -> image/bin  ...   so that all paths are valid
      etc dev ...             writable directories

Unpacking everything takes two seconds under emulation, and half of it is never read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from hiperiso.errors import HarnessFault
from hiperiso.images import cpio
from hiperlab.initramfs.stage import stage
from hiperlab.payload.compression import Compression
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
echo "hiperiso: the image in the initramfs cannot be mounted: it may be damaged"
exec $b sh
"""


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
        entries: all files at their final paths; ``init`` is PID 1, started when the image is mounted.
        early_modules: the modules to mount the image, in load order.
        target: the file to write.
        scratch: an empty folder.
        compression: of the image.
        level: the compression level, the maximum when None; xz has no levels.
        progress: called with the number of packed blocks and the total.

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
    """The entries in the image, those beside it, and busybox."""
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
    no_times = {"SOURCE_DATE_EPOCH": "0"}  # mksquashfs uses it for the image and all files
    with running_tool(argv, package="squashfs-tools", errors=PIPE, environment=no_times) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        _follow(process.stdout, progress)
        output = process.stderr.read().decode(errors="replace").strip()
    if process.returncode != 0:
        raise HarnessFault(f"mksquashfs failed ({process.returncode}): {output}")


def _follow(output: IO[bytes], progress: Callable[[int, int], None] | None) -> None:
    """Read the output of mksquashfs to its end, and report progress."""
    rest = b""
    while data := output.read1(4096):  # type: ignore[attr-defined]
        rest = (rest + data)[-8192:]
        found = _PROGRESS.findall(rest)
        if found and progress:
            progress(int(found[-1][0]), int(found[-1][1]))
            rest = rest[-64:]
