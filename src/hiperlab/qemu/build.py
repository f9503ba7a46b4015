"""Builds QEMU once for this distribution: ``$XDG_CACHE_HOME/hiperiso/qemu/``.

::

    <hash>/qemu-system-x86_64      stripped
           trace-events-all        the formats of its trace events
           build.json              version, options
    <hash>.partial/                an interrupted build: the next one continues it
    build.log                      the output of the tools
    current -> <hash>              used by `hiperiso.machine.qemu.find_qemu`

The hash covers the version of the source, the options and the libraries.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import msgspec

from hiperiso.errors import HarnessFault, UsageError
from hiperiso.machine.qemu import (
    BINARY,
    CURRENT,
    TraceBackend,
    build_root,
    check_sandbox,
    qemu_version,
    trace_backend,
)
from hiperiso.packages import install_hint
from hiperiso.trace.formats import DECLARATIONS
from hiperlab.qemu.source import fetch_source, install_packages, installed_version, missing_packages
from hiperlab.run import WITH_OUTPUT, run_tool, running_tool, try_tool

PACKAGES: Final = (
    *("dpkg-dev", "gcc", "libc6-dev", "make", "meson", "ninja-build", "pkg-config", "python3"),
    *("libfdt-dev", "libglib2.0-dev", "libpixman-1-dev", "libpng-dev", "libseccomp-dev", "libslirp-dev"),
)
OPTIONS: Final = (
    "--target-list=x86_64-softmmu",
    "--enable-trace-backends=simple",
    "--without-default-features",
    *("--enable-system", "--enable-tcg", "--enable-kvm", "--enable-slirp", "--enable-vnc", "--enable-png"),
    *("--enable-seccomp", "--enable-tpm", "--enable-fdt=system"),
    *("--disable-werror", "--disable-docs", "--disable-tools", "--disable-user"),
    # Firmware is the distribution's; another prefix keeps QEMU from searching beside itself.
    "--prefix=/opt/hiperiso-qemu",
    "--firmwarepath=/usr/share/qemu:/usr/share/seabios:/usr/lib/ipxe/qemu",
)
_PIECES = (BINARY, "trace/trace-events-all")
_PROGRESS = re.compile(rb"\[(\d{1,6})/(\d{1,6})\]")
_OUT = "build-hiperiso"
_RECIPE = 1


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """build.json: a finished build."""

    version: str
    source_version: str
    options: tuple[str, ...]
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """The options of a build.

    Attributes:
        jobs: number of parallel compilers; 0 for one per processor.
        install_missing: whether missing packages are installed (as root).
        again: build even if a build exists.
    """

    jobs: int = 0
    install_missing: bool = False
    again: bool = False


def build_qemu(
    request: BuildRequest,
    *,
    root: Path | None = None,
    on_step: Callable[[str], None] = lambda _: None,
    progress: Callable[[int, int], None] | None = None,
) -> Build:
    """Build QEMU, or return the existing build.

    Args:
        request: the options.
        root: the folder of all builds; that of the cache when None.
        on_step: called with the description of each step.
        progress: called with the number of finished build steps and the total.

    Raises:
        UsageError: packages must be installed, but the user is not root.
        HarnessFault: a package is missing, or the build fails: the message names the log file.
    """
    base = root or build_root()
    base.mkdir(parents=True, exist_ok=True)
    version = installed_version()
    log_path = base / "build.log"
    with _locked(base / ".lock"), log_path.open("wb") as log:
        name = build_hash(version)
        if not request.again and (found := read_build(base / name)):
            _point(base, name)
            return found
        try:
            _check_packages(request, log, on_step)
            name = build_hash(version)  # with the packages installed above
            partial = base / f"{name}.partial"
            partial.mkdir(exist_ok=True)
            on_step("fetching the source")
            source = _source(partial, version, log)
            _compile(source, request.jobs, log, on_step, progress)
            return _finish(base, name, source / _OUT, version, on_step)
        except HarnessFault as fault:
            raise HarnessFault(fault.message, hint=fault.hint or f"see {log_path}") from fault


def build_hash(source_version: str) -> str:
    """The name of a build: the same inputs give the same name."""
    argv = ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES]
    ended = try_tool(argv, timeout_s=60)
    versions = ended.output.decode(errors="replace") if ended else ""
    inputs = [_RECIPE, source_version, OPTIONS, sorted(versions.splitlines())]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]


def current_build(root: Path | None = None) -> Build | None:
    """The build that boots use, or None."""
    return read_build((root or build_root()) / CURRENT)


def read_build(folder: Path) -> Build | None:
    """The build in a directory, or None if missing or incomplete."""
    try:
        found = msgspec.json.decode((folder / "build.json").read_bytes(), type=Build)
    except (OSError, msgspec.DecodeError):
        return None
    binary = folder / BINARY
    return msgspec.structs.replace(found, path=str(binary)) if os.access(binary, os.X_OK) else None


def _check_packages(request: BuildRequest, log: IO[bytes], on_step: Callable[[str], None]) -> None:
    missing = missing_packages(PACKAGES)
    if not missing:
        return
    if not request.install_missing:
        raise HarnessFault(
            f"packages are missing: {' '.join(missing)}",
            hint=f"{install_hint(*missing)}, or let `hiperiso qemu build --install-deps` do it as root",
        )
    if os.geteuid() != 0:
        raise UsageError("only root can install packages", hint=f"sudo {install_hint(*missing)}")
    on_step(f"installing {' '.join(missing)}")
    install_packages(missing, log)


def _source(partial: Path, version: str, log: IO[bytes]) -> Path:
    """The directory of the source, fetched on first use."""
    fetched = partial / "fetched"
    if fetched.is_file() and Path(fetched.read_text()).is_dir():
        return Path(fetched.read_text())
    shutil.rmtree(partial / "source", ignore_errors=True)
    source = fetch_source(partial, version, log)
    fetched.write_text(str(source))
    return source


def _compile(
    source: Path,
    jobs: int,
    log: IO[bytes],
    on_step: Callable[[str], None],
    progress: Callable[[int, int], None] | None,
) -> None:
    """Configure on first use, and compile what is not compiled yet."""
    out = source / _OUT
    if not (out / "build.ninja").is_file():
        on_step("configuring")
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        _logged([str(source / "configure"), *OPTIONS], out, log, None)
    on_step("compiling")
    _logged(["ninja", f"-j{jobs or os.cpu_count() or 1}", *_PIECES], out, log, progress)


def _logged(
    argv: list[str], folder: Path, log: IO[bytes], progress: Callable[[int, int], None] | None
) -> None:
    """Run a tool with its output in the log; ninja's output contains its progress."""
    with running_tool(
        argv, package="ninja-build", errors=WITH_OUTPUT, environment=os.environ, cwd=folder
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.write(line)
                match = _PROGRESS.match(line)
                if match and progress:
                    progress(int(match[1]), int(match[2]))
        except BaseException:
            process.terminate()  # compiled objects are kept, and the next build continues
            raise
    if process.returncode != 0:
        raise HarnessFault(f"{Path(argv[0]).name} failed ({process.returncode})")


def _finish(base: Path, name: str, out: Path, version: str, on_step: Callable[[str], None]) -> Build:
    """Test the binary, install it, and remove intermediate files."""
    on_step("checking")
    new = base / f"{name}.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    binary = new / BINARY
    shutil.copy2(out / BINARY, binary)
    shutil.copyfile(out / "trace" / "trace-events-all", new / DECLARATIONS)
    run_tool(["strip", str(binary)], package="binutils", timeout_s=300)
    check_sandbox(binary)
    if trace_backend(binary) is not TraceBackend.SIMPLE:
        raise HarnessFault("the QEMU that was built does not write binary traces")
    build = Build(version=qemu_version(binary), source_version=version, options=OPTIONS)
    (new / "build.json").write_bytes(msgspec.json.format(msgspec.json.encode(build)) + b"\n")
    shutil.rmtree(base / name, ignore_errors=True)
    new.rename(base / name)
    _point(base, name)
    shutil.rmtree(base / f"{name}.partial", ignore_errors=True)
    found = read_build(base / name)
    assert found is not None
    return found


def _point(base: Path, name: str) -> None:
    """Make a build the current one, atomically."""
    fresh = base / f".{CURRENT}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(name)
    fresh.replace(base / CURRENT)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One build at a time.

    Raises:
        HarnessFault: another one runs.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HarnessFault(
                "another build of QEMU is running", hint="wait for the other command"
            ) from None
        yield
