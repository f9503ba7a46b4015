"""Which distribution an ISO is: the lines that real media have, and what names nothing."""

from __future__ import annotations

import pytest

from hiperiso.iso.identity import Identity, identify
from medium_trees import MakeTree


@pytest.mark.parametrize(
    ("path", "text", "name", "version"),
    [
        (
            "/.disk/info",
            'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware 20240210-11:27',
            "Debian GNU/Linux",
            "12.5.0",
        ),
        (
            "/.disk/info",
            'Ubuntu 24.04.1 LTS "Noble Numbat" - Release amd64 (20240827.1)',
            "Ubuntu",
            "24.04.1 LTS",
        ),
        (
            "/.disk/info",
            'Ubuntu-Server 22.04.4 LTS "Jammy Jellyfish" - Release',
            "Ubuntu-Server",
            "22.04.4 LTS",
        ),
        ("/.disk/info", 'Linux Mint 21.3 "Virginia" - Release amd64 20240111\n', "Linux Mint", "21.3"),
        (
            "/.disk/info",
            'Debian GNU/Linux testing "Trixie" - Official Snapshot amd64 NETINST 20240101-03:12',
            "Debian GNU/Linux testing",
            "",
        ),
        (
            "/.treeinfo",
            "[general]\nfamily = Fedora\nversion = 40\n[release]\nname = Fedora\nshort = Fedora\nversion = 40\n",
            "Fedora",
            "40",
        ),
        ("/.treeinfo", "[general]\nfamily = CentOS Stream\nversion = 9\n", "CentOS Stream", "9"),
        ("/.discinfo", "1713273025.0\nFedora 27\nx86_64\n", "Fedora", "27"),
        ("/.discinfo", "1713273025.0\n40\nx86_64\n", "", ""),
        ("/etc/os-release", 'NAME="Void"\nID=void\nVERSION_ID=1\n', "Void", "1"),
        ("/media.1/products", "/ openSUSE-Leap 15.6-1\n", "openSUSE Leap", "15.6"),
        (
            "/media.1/media",
            "openSUSE - openSUSE-Leap-15.6-DVD-x86_64-Build710.3-Media\nopenSUSE-Leap-15.6-DVD-x86_64-Build710.3\n1\n",
            "openSUSE Leap",
            "15.6",
        ),
        ("/.alpine-release", "alpine-standard-3.20.0 240522\n", "Alpine Linux", "3.20.0"),
        ("/arch/version", "2024.05.01\n", "Arch Linux", "2024.05.01"),
        (
            "/live/filesystem.packages",
            "apt\t2.6.1\nbase-files\t12.4+deb12u5\nbash\t5.2\n",
            "Debian GNU/Linux",
            "12",
        ),
        ("/casper/filesystem.manifest", "base-files\t13ubuntu10\n", "", ""),
    ],
)
def test_a_file_names_the_distribution(
    make_tree: MakeTree, path: str, text: str, name: str, version: str
) -> None:
    found = identify(make_tree({path: text}))
    assert found == (Identity(name, version, path) if name else Identity())


def test_what_says_nothing_leaves_the_word_to_the_next(make_tree: MakeTree) -> None:
    tree = make_tree(
        {
            "/.disk/info": "\n",
            "/.treeinfo": "[broken",
            "/os-release": 'NAME="unclosed',
            "/arch/version": "2024.05.01",
        }
    )
    assert identify(tree) == Identity("Arch Linux", "2024.05.01", "/arch/version")


def test_a_hostile_name_is_cleaned(make_tree: MakeTree) -> None:
    found = identify(
        make_tree({"/etc/os-release": b'NAME="\x1b[31mEvil\x07"\nVERSION_ID="' + b"9" * 5000 + b'"\n'})
    )
    assert "\x1b" not in found.distribution and "\x07" not in found.distribution
    assert len(found.version) <= 120


def test_links_of_the_medium_are_followed(make_tree: MakeTree) -> None:
    tree = make_tree({"/etc/os-release": "->../usr/lib/os-release", "/usr/lib/os-release": 'NAME="Void"\n'})
    assert identify(tree) == Identity("Void", "", "/etc/os-release")
