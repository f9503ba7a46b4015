"""The menus of syslinux and systemd-boot, and kernels without a menu."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiperiso.iso.menus.read import (
    kernels_by_name,
    read_loader_entries,
    read_menus,
)
from hiperiso.iso.menus.syslinux import read_syslinux_menu
from medium_trees import MakeTree
from property_tests import examples


def test_syslinux(make_tree: MakeTree) -> None:
    tree = make_tree(
        {
            "isolinux/isolinux.cfg": "DEFAULT vesamenu.c32\nAPPEND all\ninclude more.cfg\n"
            "LABEL mem\n kernel memtest.bin\nLABEL plain\n kernel vmlinuz\n",
            "isolinux/more.cfg": "label live\n\tmenu label ^Live\n\tMENU DEFAULT\n\tkernel\t/live/vmlinuz\n"
            "  append initrd=/live/a,b.img boot=live  quiet\n"
            "label none\n linux /k\n initrd i\n append -\nlabel x\nmenu include isolinux.cfg\n",
        }
    )
    found = read_syslinux_menu("/isolinux/isolinux.cfg", tree)
    live = found.in_order[0]
    assert (live.title, live.kernel, live.arguments) == ("Live", "/live/vmlinuz", "boot=live quiet")
    assert live.initrds == ("/live/a", "/isolinux/b.img")
    by_title = {entry.title: entry for entry in found.entries}
    assert (by_title["none"].arguments, by_title["none"].initrds) == ("", ("/isolinux/i",))
    assert (by_title["plain"].kernel, by_title["plain"].arguments) == ("/isolinux/vmlinuz", "all")
    assert "mem" not in by_title


def test_the_default_of_syslinux(make_tree: MakeTree) -> None:
    tree = make_tree({"syslinux.cfg": "default two\nlabel one\nkernel /1\nlabel two\nkernel /2\n"})
    assert read_syslinux_menu("/syslinux.cfg", tree).in_order[0].kernel == "/2"


def test_systemd_boot(make_tree: MakeTree) -> None:
    tree = make_tree(
        {
            "loader/loader.conf": "timeout 3\ndefault b-*\n",
            "loader/entries/a.conf": "title A\nlinux /a\n",
            "loader/entries/b-1.conf": "title B\nlinux b\ninitrd /i1\ninitrd /i2\noptions x y\noptions z\n",
            "loader/entries/c.conf": "title C\nefi /shell.efi\n",
        }
    )
    found = read_loader_entries(tree)
    first = found.in_order[0]
    assert (first.title, first.kernel, first.initrds, first.arguments) == (
        "B",
        "/b",
        ("/i1", "/i2"),
        "x y z",
    )
    assert len(found.entries) == 2


def test_kernels_without_a_menu(make_tree: MakeTree) -> None:
    tree = make_tree(
        {
            "boot/vmlinuz-6.1": b"k",
            "boot/initrd.img-6.1": b"i",
            "boot/initrd.img-5.9": b"i",
            "boot/notes": b"x",
            "bzImage": b"k",
        }
    )
    found = {entry.kernel: entry.initrds for entry in kernels_by_name(tree).entries}
    assert found == {"/bzImage": (), "/boot/vmlinuz-6.1": ("/boot/initrd.img-6.1",)}


def test_the_order_of_menus(make_tree: MakeTree) -> None:
    tree = make_tree(
        {
            "isolinux/isolinux.cfg": "label a\nkernel /vmlinuz\n",
            "boot/grub/grub.cfg": "menuentry g { linux /vmlinuz; }",
            "boot/grub/loopback.cfg": "menuentry l { linux /vmlinuz findiso=$iso_path; }",
            "vmlinuz": b"k",
        }
    )
    menus = list(read_menus(tree, iso_path="/ISOs/x.iso", efi=False))
    assert [menu.entries[0].title for menu in menus if menu.entries] == ["l", "g", "a", "/vmlinuz"]
    assert menus[0].entries[0].arguments == "findiso=/ISOs/x.iso"


def test_a_configuration_that_an_entry_leads_to_is_another_menu(make_tree: MakeTree) -> None:
    """Debian's installer: its help leads back to the menu, whose last file has the time limit."""
    tree = make_tree(
        {
            "isolinux.cfg": "timeout 0\ninclude menu.cfg\ndefault vesamenu.c32\n",
            "menu.cfg": "label install\nkernel /vmlinuz\nlabel help\nconfig help.cfg\ninclude last.cfg\n",
            "help.cfg": "prompt 1\ntimeout 0\ninclude menu.cfg\n",
            "last.cfg": "label speech\nkernel /vmlinuz\nappend speech\ntimeout 300\nontimeout /vmlinuz speech\n",
            "vmlinuz": b"k",
        }
    )
    (menu, *_) = read_menus(tree, iso_path="/x.iso", efi=False)
    assert menu.front.titles == ("install", "help", "speech")
    assert (menu.front.timeout_s, menu.front.other_on_timeout, menu.front.prompt) == (30.0, True, False)


def test_a_configuration_that_the_default_leads_to_is_the_menu(make_tree: MakeTree) -> None:
    tree = make_tree(
        {
            "isolinux.cfg": "default load\nlabel load\nconfig /real.cfg\n",
            "real.cfg": "ui menu.c32\ntimeout 150\nlabel live\nkernel /vmlinuz\n",
            "vmlinuz": b"k",
        }
    )
    (menu, *_) = read_menus(tree, iso_path="/x.iso", efi=False)
    assert [entry.title for entry in menu.entries] == ["live"]
    assert menu.front.timeout_s == 15.0


_LINE = st.sampled_from(
    [
        "LABEL x",
        "kernel /k",
        "append",
        "APPEND initrd=,,",
        "include isolinux.cfg",
        "menu",
        "MENU DEFAULT",
        "config /isolinux.cfg x",
        "\t",
        "initrd ,",
        "default",
        "linux \x1b[2J",
        "menu label ^\u202e",
        "\x00",
    ]
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(60)
)
@given(st.lists(_LINE, max_size=30), st.lists(_LINE, max_size=8))
def test_hostile_menus(make_tree: MakeTree, lines: list[str], loader: list[str]) -> None:
    tree = make_tree(
        {
            "isolinux.cfg": "\n".join(lines),
            "loader/entries/x.conf": "\n".join(loader),
            "loader/loader.conf": "default " + "*?" * len(loader),
        }
    )
    for menu in read_menus(tree, iso_path="/x.iso", efi=True):
        assert all(entry.kernel.startswith("/") for entry in menu.in_order)
