"""The cache of built samples.

::

    $XDG_CACHE_HOME/hiperiso/samples/
        login-serial-3f0c9a1b2d4e5f60.iso      name and key: a changed recipe or package gives another file
        .login-serial.lock                     held during a build, so that others wait and then use the result
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from pathlib import Path

from bootchain.nearest import nearest
from hiperiso.cache import cache_root
from hiperiso.contract.store import file_lock
from hiperiso.errors import HarnessFault, UsageError
from hiperlab.debian.packages import Sources
from hiperlab.places import package_cache
from hiperlab.samples.catalogue import samples
from hiperlab.samples.iso import recipe_key, write_iso
from hiperlab.samples.model import Sample
from hiperlab.samples.silent import silent_twin, speaks

_STALE_AFTER_S = 7 * 24 * 3600


def list_samples() -> tuple[Sample, ...]:
    """Returns all samples."""
    return samples()


def list_twins() -> tuple[Sample, ...]:
    """Returns the silent twins: one for each sample with serial output."""
    listed = samples()
    taken = {sample.name for sample in listed}
    twins = (silent_twin(sample) for sample in listed if speaks(sample))
    return tuple(twin for twin in twins if twin.name not in taken)


def find_sample(name: str) -> Sample:
    """Returns the sample called ``name``, which may be a silent twin.

    Raises:
        UsageError: there is none.
    """
    by_name = {sample.name: sample for sample in (*samples(), *list_twins())}
    if name not in by_name:
        near = nearest(name[:64], by_name)
        meant = f"; did you mean {near}?" if near else ""
        raise UsageError(f"unknown sample {name!r}{meant}", hint=f"known samples: {', '.join(by_name)}")
    return by_name[name]


def build_sample(name: str, dest: Path | None = None, *, cache: Path | None = None) -> Path:
    """Builds a sample, or takes it from the cache, and returns the path of its ISO.

    Args:
        name: the sample.
        dest: a directory for ``<name>.iso``, or the path of the file to write; without it the ISO stays in the
            cache and must not be changed.
        cache: instead of the user's cache directory.

    Raises:
        UsageError: unknown sample.
        HarnessFault: a tool or package is missing (the hint names it), or the cache cannot be written.
    """
    sample = find_sample(name)
    folder, packages = (cache, cache / "packages") if cache else (default_cache(), package_cache())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        built = _built(sample, folder, packages)
        return built if dest is None else _copied(built, dest / f"{name}.iso" if dest.is_dir() else dest)
    except OSError as error:
        path = error.filename2 or error.filename  # of a copy the target
        where = f"{path}: " if path else ""
        raise HarnessFault(
            f"cannot write the sample {name}: {where}{error.strerror or error}",
            hint="set XDG_CACHE_HOME, or free space",
        ) from error


def default_cache() -> Path:
    """Returns the directory of the samples in the user's cache."""
    return cache_root() / "samples"


def _built(sample: Sample, folder: Path, packages: Path) -> Path:
    sources = Sources(cache=packages)
    # The key is in the directory: users identify an ISO by its file name.
    iso = folder / recipe_key(sample.recipe, sources) / f"{sample.name}.iso"
    if iso.is_file():
        return iso
    with file_lock(folder / f".{sample.name}.lock"):
        if not iso.is_file():
            with tempfile.TemporaryDirectory(prefix=f".{sample.name}-", dir=folder) as scratch:
                made = Path(scratch) / "made.iso"
                write_iso(sample.recipe, sources, Path(scratch), made)
                made.chmod(0o444)
                iso.parent.mkdir(exist_ok=True)
                made.rename(iso)
            _forget_stale(sample.name, folder, keep=iso)
    return iso


def _forget_stale(name: str, folder: Path, keep: Path) -> None:
    """Removes ISOs of other keys that are too old to be used by another checkout."""
    for old in folder.glob(f"{'?' * 16}/{name}.iso"):
        if old != keep and time.time() - old.stat().st_mtime > _STALE_AFTER_S:
            old.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                old.parent.rmdir()


def _copied(iso: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sample-", dir=target.parent) as scratch:
        copy = Path(scratch) / target.name
        shutil.copyfile(iso, copy)
        copy.rename(target)
    return target
