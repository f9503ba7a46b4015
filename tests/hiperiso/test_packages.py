"""Hints on what to install, on distributions of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiperiso.packages import install_hint

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'
MINT = 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n'
ROCKY = 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\n'
FEDORA = 'NAME="Fedora Linux"\nID=fedora\n'
MANJARO = "ID=manjaro\nID_LIKE=arch\n"
TUMBLEWEED = 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n'
SLES = 'ID="sles"\nID_LIKE="suse"\n'


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (DEBIAN, "apt install ovmf mtools"),
        (MINT, "apt install ovmf mtools"),
        (ROCKY, "dnf install edk2-ovmf mtools"),
        (FEDORA, "dnf install edk2-ovmf mtools"),
        (MANJARO, "pacman -S edk2-ovmf mtools"),
        (TUMBLEWEED, "zypper install qemu-ovmf-x86_64 mtools"),
        (SLES, "zypper install qemu-ovmf-x86_64 mtools"),
    ],
    ids=["debian", "mint", "rocky", "fedora", "manjaro", "tumbleweed", "sles"],
)
def test_the_hint_is_in_the_words_of_the_system(tmp_path: Path, text: str, hint: str) -> None:
    (tmp_path / "os-release").write_text(text)
    assert install_hint("ovmf", "mtools", os_release=tmp_path / "os-release") == hint


@pytest.mark.parametrize("text", ["ID=nixos\n", "", "no such lines\0\xff"])
def test_on_an_unknown_system_all_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "os-release").write_text(text)
    hint = install_hint("xorriso", os_release=tmp_path / "os-release")
    assert hint == "apt install xorriso; dnf install xorriso; pacman -S libisoburn; zypper install xorriso"


def test_a_package_that_brings_both_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(FEDORA)
    assert (
        install_hint("isolinux", "syslinux-common", os_release=tmp_path / "os-release")
        == "dnf install syslinux"
    )
