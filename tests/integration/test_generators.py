"""Initramfs made by the own tools of a distribution, with bootchain installed in them: both examples, to a login.

The systems are bootstrapped once, below the cache of packages; no other part of this machine is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrapped import BUILD_TIMEOUT_S, enter, mirror
from hiperlab.places import package_cache
from hiperlab.samples.bootchain import LABEL, http_image_recipe, system_recipe
from integration.conftest import Boot, iso_of
from integration.test_bootchain_guest import assert_login_on_overlay, web_server

pytestmark = [pytest.mark.boots, pytest.mark.slow]

COMMON = "linux-image-amd64,python3,busybox,kmod,udev,zstd,curl,ca-certificates"
PACKAGES = {
    "initramfs-tools": f"initramfs-tools,{COMMON}",
    "dracut": f"dracut,dracut-core,dracut-network,isc-dhcp-client,iproute2,iputils-arping,procps,bash,{COMMON}",
}
PLACES = {"initramfs-tools": "etc/initramfs-tools", "dracut": "usr/lib/dracut/modules.d"}
MAKE = {
    "initramfs-tools": "mkinitramfs -o /boot/chain.img $(ls /lib/modules)",
    "dracut": "dracut --force --no-hostonly --add bootchain --kver $(ls /lib/modules) /boot/chain.img",
}


@pytest.fixture(scope="module", params=sorted(PACKAGES))
def system(request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    """Kernel and initramfs of a system with one of the generators."""
    kind = str(request.param)
    root = package_cache().parent / "generators" / kind
    if not (root / "ready").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        include = PACKAGES[kind]
        argv = ["debootstrap", "--variant=minbase", f"--include={include}", "bookworm", str(root), mirror()]
        # Scripts of packages that make an image at once may fail here: there is neither /proc nor /sys yet.
        done = subprocess.run(argv, check=False, env={**os.environ, "LC_ALL": "C"}, timeout=BUILD_TIMEOUT_S)
        if done.returncode:
            enter(root, "apt-get -y -f install; dpkg --configure -a")
        (root / "ready").touch()
    command = [
        sys.executable,
        "-m",
        "hiperlab.cli.main",
        "chain",
        "install",
        f"--{kind}",
        str(root / PLACES[kind]),
    ]
    subprocess.run(command, check=True)
    subprocess.run(command, check=True)  # again
    enter(root, MAKE[kind])
    kernel = next((root / "boot").glob("vmlinuz-*")).read_bytes()
    image = (root / "boot" / "chain.img").read_bytes()
    subprocess.run([*command, "--remove"], check=True)
    assert not list((root / PLACES[kind]).rglob("*bootchain*"))
    return kernel, image


def test_example_1_from_an_iso_on_a_usb_disk(system: tuple[bytes, bytes], boot: Boot, tmp_path: Path) -> None:
    line = (
        "root=bootchain bootchain=waitdev,mountfs,mountfs,overlayfs,rootfs "
        f"waitdev=CDROM:LABEL={LABEL} mountfs=DEVNAME mountfs=rescue"
    )
    iso = iso_of(system_recipe(line, *system), tmp_path, "one.iso")
    assert_login_on_overlay(boot(iso, "--medium", "usb", "--firmware", "bios", "--ram", 1024))


def test_example_1_as_printed_ends_with_the_nearest_name(
    system: tuple[bytes, bytes], boot: Boot, tmp_path: Path
) -> None:
    line = (
        "root=bootchain bootchain=waitdev,noretry,mountfs,mountfs,overlayfs,rootfs "
        f"waitdev=CDROM:LABEL={LABEL} mountfs=DEVNANE mountfs=rescue"
    )
    iso = iso_of(system_recipe(line, *system), tmp_path, "printed.iso")
    nearest = "there: DEVNAME, dev; nearest: DEVNAME"
    booted = boot(iso, "--medium", "usb", "--firmware", "bios", "--ram", 1024, "--expect-text", nearest)
    assert booted.exit_code == 0, json.dumps(booted.manifest)


def test_example_2_over_http(system: tuple[bytes, bytes], boot: Boot, tmp_path: Path) -> None:
    public = tmp_path / "public"
    iso_of(http_image_recipe(), public, "vi-20140918-i586.iso")
    with web_server(public) as (port, asked):
        line = (
            "root=pipeline pipeline=getimage,mountfs,overlayfs,rootfs "
            f"getimage=http://10.0.2.2:{port}/vi-20140918-i586.iso mountfs=rescue"
        )
        iso = iso_of(system_recipe(line, *system, rescue=False), tmp_path, "two.iso")
        booted = boot(iso, "--firmware", "bios", "--ram", 1536, "--net-dump")
    assert_login_on_overlay(booted)
    assert "/vi-20140918-i586.iso" in asked
