"""A live ISO made by kiwi of a Debian system: GRUB under both firmwares, kiwi's own dracut module, an overlay.

Debian's package of kiwi lacks its dracut modules: they are taken from kiwi's source distribution.
"""

from __future__ import annotations

import os
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from bootstrapped import made_once, mirror, run

_SOURCE: Final = "kiwi==9.25.22"
_PACKAGES: Final = (
    "systemd-sysv udev dbus kmod procps iproute2 dracut dracut-network dracut-live dmsetup dialog fdisk parted "
    "linux-image-amd64 grub-common grub2-common grub-efi-amd64-bin grub-pc-bin xfsprogs login passwd"
)
_MODULES: Final = ("90kiwi-live", "99kiwi-lib")
_CHECKS: Final = """\
runtime_checks:
  - disable:
      - check_dracut_module_for_live_iso_in_package_list
"""
_DESCRIPTION: Final = """\
<?xml version="1.0" encoding="utf-8"?>
<image schemaversion="7.4" name="kiwi-live">
  <description type="system">
    <author>tests</author><contact>tests@localhost</contact><specification>a live system</specification>
  </description>
  <preferences>
    <version>1.0.0</version>
    <packagemanager>apt</packagemanager>
    <locale>POSIX</locale>
    <type image="iso" primary="true" flags="overlay" firmware="efi" hybridpersistent="false" volid="KIWI_LIVE"
          kernelcmdline="quiet">
      <bootloader name="grub2" timeout="10"/>
    </type>
  </preferences>
  <users><user password="" home="/root" name="root" groups="root"/></users>
  <repository type="apt-deb" alias="debian" distribution="bookworm" components="main"
              repository_gpgcheck="false" package_gpgcheck="false"><source path="{mirror}"/></repository>
  <packages type="image">{packages}</packages>
  <packages type="bootstrap"><package name="ca-certificates"/></packages>
</image>
"""


def kiwi_iso() -> Path:
    """The live ISO by kiwi."""
    return made_once("kiwi.iso", _build)


def _build(new: Path) -> None:
    with tempfile.TemporaryDirectory(dir=new.parent) as folder:
        work = Path(folder)
        for name in ("home/.config/kiwi", "description/root/usr/lib/dracut/modules.d", "out"):
            (work / name).mkdir(parents=True)
        (work / "home/.config/kiwi/config.yml").write_text(_CHECKS)
        packages = "".join(f'<package name="{name}"/>' for name in _PACKAGES.split())
        description = _DESCRIPTION.format(mirror=mirror(), packages=packages)
        (work / "description/config.xml").write_text(description)
        run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", work, _SOURCE)
        (archive,) = work.glob("*.tar.gz")
        _unpack_modules(archive, work / "description/root/usr/lib/dracut/modules.d")
        argv = ["env", f"HOME={work / 'home'}", f"PATH={os.defpath}:/usr/sbin:/sbin", "unshare", "--mount"]
        argv += ["--propagation", "private", "kiwi-ng", "--type", "iso", "system", "build"]
        run(*argv, "--description", work / "description", "--target-dir", work / "out")
        (made,) = (work / "out").glob("*.iso")
        made.rename(new)


def _unpack_modules(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as source:
        for member in source:
            where, name = Path(member.name).parts[1:-1], Path(member.name).name
            module = next((one for one in _MODULES if where == ("dracut", "modules.d", one)), "")
            if module and member.isfile() and (file := source.extractfile(member)):
                (target / module).mkdir(exist_ok=True)
                (target / module / name).write_bytes(file.read())
                (target / module / name).chmod(0o755)
