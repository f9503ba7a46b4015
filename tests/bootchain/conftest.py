from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .daemons import Daemon
from .initrds import LABEL


@pytest.fixture
def ram() -> Iterator[Path]:
    """A directory on a tmpfs: results that lie anywhere else get one of their own, which no test could look into."""
    place = Path(tempfile.mkdtemp(prefix="bootchain-", dir="/dev/shm"))
    yield place
    shutil.rmtree(place)


@pytest.fixture
def daemon(ram: Path) -> Daemon:
    return Daemon(ram)


@pytest.fixture(scope="session")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image with the squashfs ``rescue-10`` in ``live``; ext4, for not every kernel here knows ISO 9660."""
    place = tmp_path_factory.mktemp("medium")
    for name in ("tree/sbin", "tree/var/log", "disk/live"):
        (place / name).mkdir(parents=True)
    (place / "tree/sbin/init").write_text("stage 2\n")
    (place / "tree/sbin/init").chmod(0o755)
    for argv in (
        ("mksquashfs", f"{place}/tree", f"{place}/disk/live/rescue-10", "-quiet"),
        ("mkfs.ext4", "-q", "-L", LABEL, "-d", f"{place}/disk", f"{place}/medium", "8M"),
    ):
        subprocess.run(argv, check=True, capture_output=True)
    return place / "medium"


@pytest.fixture(autouse=True, scope="session")
def no_mounts_are_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Temporary directories are removed with all that is in them: a mount left there would lose what is mounted."""
    yield
    base = str(tmp_path_factory.getbasetemp())
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    left = [place for place in mounts if place.startswith(base)]
    if left:
        # Not to go on to the removal is worth more than the rest of the session.
        pytest.exit(
            f"mounts are left below the temporary directory: unmount them first: {left}", returncode=3
        )
