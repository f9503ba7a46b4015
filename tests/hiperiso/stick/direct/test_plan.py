"""From the files of an ISO to the ways of starting it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiperiso.contract.words import DirectWay
from hiperiso.errors import UsageError
from hiperiso.stick.direct.live import MIN_IMAGE_BYTES, find_live_images
from hiperiso.stick.direct.loopboot import partition_as_kernels_name_it, with_medium
from hiperiso.stick.direct.plan import DirectFacts, KexecPlan, LivePlan, linux_release, plan_direct
from medium_trees import MakeTree, kernel
from property_tests import examples

FACTS = DirectFacts(iso_path="/ISOs/x.iso", iso_device="PARTUUID=1-2")
GRUB = "menuentry m { linux /k/vmlinuz %s; initrd /k/initrd; }"
SYSTEM: dict[str, bytes | str] = {"k/vmlinuz": kernel(), "k/initrd": b"i"}


def facts(way: DirectWay) -> DirectFacts:
    return DirectFacts(iso_path=FACTS.iso_path, iso_device=FACTS.iso_device, way=way)


@pytest.mark.parametrize(
    ("arguments", "added", "documented_in"),
    [
        ("boot=live quiet", "findiso=/ISOs/x.iso", "live-boot(7)"),
        ("boot=casper quiet", "iso-scan/filename=/ISOs/x.iso", "Ubuntu's loopback.cfg"),
        ("root=live:CDLABEL=F rd.live.image", "iso-scan/filename=/ISOs/x.iso", "dracut.cmdline(7)"),
        (
            "archisobasedir=arch archisolabel=A",
            "img_dev=PARTUUID=1-2 img_loop=/ISOs/x.iso",
            "archiso's README.bootparams",
        ),
    ],
)
def test_a_live_iso(make_tree: MakeTree, arguments: str, added: str, documented_in: str) -> None:
    tree = make_tree(
        {**SYSTEM, "boot/grub/grub.cfg": GRUB % f"{arguments} --- x", "live/filesystem.squashfs": b"hsqs"}
    )
    live, kexec = plan_direct(tree, FACTS)
    assert isinstance(live, LivePlan) and live.image.layers == ("/live/filesystem.squashfs",)
    assert isinstance(kexec, KexecPlan)
    assert kexec.arguments == f"{arguments} {added} --- x"
    assert (kexec.documented_in, kexec.release, kexec.notes) == (documented_in, "6.1.0-9-amd64", ())
    assert plan_direct(tree, facts(DirectWay.LIVE)) == (live,)
    assert plan_direct(tree, facts(DirectWay.KEXEC)) == (kexec,)


def test_an_iso_without_a_live_system(make_tree: MakeTree) -> None:
    tree = make_tree({**SYSTEM, "boot/grub/grub.cfg": GRUB % "quiet"})
    (plan,) = plan_direct(tree, FACTS)
    assert isinstance(plan, KexecPlan) and plan.arguments == "quiet" and "may not find" in plan.notes[0]
    with pytest.raises(UsageError, match="no live system"):
        plan_direct(tree, facts(DirectWay.LIVE))


def test_an_entry_whose_files_are_missing_is_passed_over(make_tree: MakeTree) -> None:
    tree = make_tree(
        {
            **SYSTEM,
            "memtest": kernel("6.0.0 no builder"),
            "boot/grub/grub.cfg": "menuentry gone { linux /gone; }\nmenuentry mem { linux /memtest; }\n"
            "menuentry half { linux /k/vmlinuz; initrd /gone; }\n" + GRUB % "good",
        }
    )
    (plan,) = plan_direct(tree, FACTS)
    assert isinstance(plan, KexecPlan) and plan.arguments == "good"


def test_a_menu_that_knows_the_iso_gets_nothing_added() -> None:
    found = with_medium("boot=live findiso=/ISOs/x.iso", "/ISOs/x.iso", "")
    assert (found.arguments, found.documented_in) == (
        "boot=live findiso=/ISOs/x.iso",
        "the ISO's own menu",
    )
    assert with_medium("boot=live", "/a b.iso", "").arguments == 'boot=live findiso="/a b.iso"'
    assert with_medium("archisobasedir=arch", "/x.iso", "").documented_in == ""
    assert partition_as_kernels_name_it("PARTUUID=1") == "PARTUUID=1"
    assert partition_as_kernels_name_it("/dev/sda1") == partition_as_kernels_name_it("CDROM:LABEL=x") == ""


@pytest.mark.parametrize(
    ("files", "label", "why"),
    [
        ({"sources/install.wim": b"x"}, "", "Windows"),
        ({"EFI/BOOT/mt86.cfg": b"x"}, "MT86PLUS_64", "memory test"),
        ({"boot.catalog": b"x"}, "MT86PLUS_64", "memory test"),
        ({"boot/loader.conf": b"", "boot/kernel/kernel.gz": b""}, "", "another system"),
        ({"README.TXT": b"x"}, "", "neither a Linux kernel nor a live system"),
    ],
)
def test_what_cannot_be_started_is_named(
    make_tree: MakeTree, files: dict[str, bytes | str], label: str, why: str
) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        plan_direct(make_tree(files), DirectFacts(iso_path="/x.iso", label=label))
    assert "emulated" in raised.value.hint


def test_kernels_and_what_carries_their_header() -> None:
    assert linux_release(kernel()) == "6.1.0-9-amd64"
    assert linux_release(kernel("2.6.39 (b) #1")) == "2.6.39"
    for text in ("1.0.0+git (ipxe) #1", "Memtest86+ v6 #1", "6.1.0", "", "6.\x1b1 (b) #1"):
        assert linux_release(kernel(text)) == ""
    assert linux_release(b"") == linux_release(b"HdrS" * 300) == ""


# ── live images ──


def layers(make_tree: MakeTree, names: list[str], *arguments: str, **files: str) -> list[tuple[str, ...]]:
    content: dict[str, bytes | str] = dict.fromkeys(names, b"hsqs")
    tree = make_tree({**content, **files})
    return [image.layers for image in find_live_images(tree, arguments)]


def test_layers_of_casper(make_tree: MakeTree) -> None:
    names = [
        "minimal",
        "minimal.de",
        "minimal.standard",
        "minimal.standard.live",
        "minimal.standard.live.hwe",
    ]
    paths = [f"casper/{name}.squashfs" for name in names]
    stack = tuple(f"/casper/{name}.squashfs" for name in (names[3], names[2], names[0]))
    assert layers(make_tree, paths, "layerfs-path=minimal.standard.live.squashfs")[0] == stack
    assert layers(make_tree, paths[:4])[0] == stack
    assert layers(make_tree, ["casper/filesystem.squashfs", *paths])[0] == ("/casper/filesystem.squashfs",)


def test_modules_of_live_boot(make_tree: MakeTree) -> None:
    names = ["live/10-core.squashfs", "live/20-extra.squashfs"]
    assert layers(make_tree, names)[0] == ("/live/20-extra.squashfs", "/live/10-core.squashfs")
    module = {"live/filesystem.module": "10-core.squashfs"}
    assert layers(make_tree, names, **module)[0] == ("/live/10-core.squashfs",)
    other = ["rescue/filesystem.squashfs"]
    assert layers(make_tree, other, "live-media-path=/rescue")[0] == ("/rescue/filesystem.squashfs",)


def test_other_places(make_tree: MakeTree) -> None:
    assert layers(make_tree, ["LiveOS/squashfs.img"])[0] == ("/LiveOS/squashfs.img",)
    assert layers(make_tree, ["a/x86_64/airootfs.sfs"], "archisobasedir=a")[0] == ("/a/x86_64/airootfs.sfs",)


def test_images_known_by_their_first_bytes(make_tree: MakeTree) -> None:
    big = bytes(MIN_IMAGE_BYTES)
    tree = make_tree(
        {
            "rescue": b"hsqs" + big,
            "x.erofs": bytes(1024) + b"\xe2\xe1\xf5\xe0" + big * 2,
            "boot/modloop-lts": b"hsqs" + big * 3,
            "some.snap": b"hsqs" + big,
            "small.squashfs": b"hsqs",
            "data": big,
        }
    )
    assert [image.layers for image in find_live_images(tree)] == [("/x.erofs",), ("/rescue",)]


_NAMES = st.sampled_from(
    [
        "live/filesystem.squashfs",
        "casper/a.b.squashfs",
        "boot/grub/grub.cfg",
        "isolinux/isolinux.cfg",
        "vmlinuz",
        "live/filesystem.module",
        "loader/loader.conf",
        "loader/entries/a.conf",
        "k/vmlinuz",
    ]
)
_CONTENT = st.sampled_from(
    [
        kernel(),
        kernel("9.9"),
        b"",
        b"hsqs",
        b"\xff\xfe",
        b"menuentry x { linux /vmlinuz",
        b"->/vmlinuz",
        b"linux /../../etc/passwd",
        b"label a\nkernel /vmlinuz\nappend layerfs-path=../../x boot=live module=..",
    ]
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(80)
)
@given(st.dictionaries(_NAMES, _CONTENT, max_size=6), st.sampled_from(list(DirectWay)))
def test_hostile_media(make_tree: MakeTree, files: dict[str, bytes | str], way: DirectWay) -> None:
    tree = make_tree(
        {k: v.decode() if isinstance(v, bytes) and v[:2] == b"->" else v for k, v in files.items()}
    )
    try:
        plans = plan_direct(tree, facts(way))
    except UsageError:
        return
    for plan in plans:
        paths = plan.image.layers if isinstance(plan, LivePlan) else (plan.entry.kernel, *plan.entry.initrds)
        assert all(tree.find(path) == path for path in paths)
