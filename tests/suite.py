"""How the whole suite is run: what starts first, what stays on one worker, the groups of the slow tier.

Seconds are of processor time on one core, measured once and rounded; they only order the tests, so that the workers end
together. A test that boots and is not named here counts as ``BOOTS_S``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

Value = TypeVar("Value")

BOOTS_S = 15.0

SECONDS = {
    "tests/hiperlab/stick/whole/test_recordings.py": 120.0,
    "tests/hiperlab/payload/test_screen.py": 90.0,
    "tests/hiperlab/stick/whole/test_power_cut.py": 200.0,
    "tests/hiperlab/payload/test_direct.py": 70.0,
    "tests/integration/test_samples.py::test_the_verdict_is_right[debian-": 60.0,
    "tests/integration/test_samples.py::test_the_verdict_is_right[emergency-initramfs": 40.0,
    "tests/integration/test_samples.py::test_the_verdict_is_right[live": 30.0,
    "tests/integration/test_samples.py::test_the_verdict_is_right[bootchain": 30.0,
    "tests/hiperlab/payload/test_boot.py": 45.0,
    "tests/integration/test_answers.py": 80.0,
    "tests/integration/test_samples.py::test_the_verdict_is_right[reset-loop": 25.0,
    "tests/house/test_wheel.py": 12.0,
    "tests/hiperlab/stick/test_cli.py": 3.0,
    "tests/hiperiso/analysis/html/test_page.py": 2.0,
    "tests/hiperiso/observe/screen/test_watcher.py": 1.0,
}
"""Nodes (files, or tests) and the seconds of one test in them. The longest match counts."""

TOGETHER = {
    "tests/hiperlab/payload/": "machines in machines",
    "tests/hiperlab/stick/whole/": "machines in machines",
    "tests/hiperlab/stick/test_boot.py": "menu of a stick",
    "tests/hiperiso/stick/screen/test_viewer.py": "viewer",
    "tests/house/test_wheel.py": "wheel",
}
"""Nodes whose tests share what is expensive to make (a payload, a stick, a guest), or would wait for each other."""

LONG = (
    "tests/bootchain/install/test_install.py",
    "tests/bootchain/steps/",
    "tests/bootchain/test_daemon.py",
    "tests/bootchain/test_facts.py",
    "tests/bootchain/test_published.py",
    "tests/bootchain/test_shell_api.py",
    "tests/docs/",
    "tests/hiperiso/analysis/html/",
    "tests/hiperiso/analysis/test_cli.py",
    "tests/hiperiso/analysis/test_repeats.py",
    "tests/hiperiso/drive/test_recognise.py",
    "tests/hiperiso/images/test_unpack.py",
    "tests/hiperiso/iso/menus/test_grub.py",
    "tests/hiperiso/iso/test_image.py",
    "tests/hiperiso/iso/test_replace.py",
    "tests/hiperiso/iso/test_sectormap.py",
    "tests/hiperiso/observe/memory/test_fuzz.py",
    "tests/hiperiso/observe/memory/test_symbols.py",
    "tests/hiperiso/observe/screen/test_fuzz.py",
    "tests/hiperiso/observe/screen/test_watcher.py",
    "tests/hiperiso/session/test_bare.py",
    "tests/hiperiso/session/test_closing.py",
    "tests/hiperiso/session/test_memoryfeed.py",
    "tests/hiperlab/chain/test_run.py",
    "tests/hiperlab/cli/test_output.py",
    "tests/hiperlab/initramfs/",
    "tests/hiperlab/ocr/",
    "tests/hiperlab/payload/",
    "tests/hiperlab/samples/",
    "tests/hiperlab/stick/exfat/test_volume.py",
    "tests/hiperlab/stick/test_changes.py",
    "tests/hiperlab/stick/test_cli.py",
    "tests/hiperlab/stick/test_collect.py",
    "tests/hiperlab/stick/test_create.py",
    "tests/hiperlab/stick/test_ext4.py",
    "tests/hiperlab/stick/test_gpt.py",
    "tests/hiperlab/stick/test_listing.py",
    "tests/hiperlab/stick/test_ntfs.py",
    "tests/hiperlab/stick/test_stored.py",
    "tests/hiperlab/test_start.py",
    "tests/hiperlab/test_trust.py",
    "tests/house/test_docs.py",
    "tests/house/test_imports.py",
    "tests/house/test_readme.py::test_the_quick_commands_of_the_readme_run",
    "tests/house/test_sbom.py",
    "tests/house/test_sessions.py",
    "tests/house/test_settings_row.py",
    "tests/house/test_wheel.py",
    "tests/integration/",
)
"""Nodes whose tests boot nothing and still take long: an eighth of a second of processor time each, or many a shell."""

GROUPS = {
    "fuzz": (
        "tests/hiperiso/trace/test_fuzzing.py",
        "tests/hiperiso/iso/",
        "tests/hiperiso/observe/",
        "tests/hiperiso/analysis/",
        "tests/bootchain/",
    ),
    "qemu": ("tests/hiperlab/qemu/",),
    "payload": ("tests/hiperlab/payload/",),
    "stick": ("tests/hiperlab/stick/", "tests/hiperiso/stick/"),
    "twins": ("tests/integration/test_silent.py::test_a_twin_is_judged_as_its_sample",),
    "arguments": (
        "tests/integration/test_silent.py::test_arguments_that_hide_messages_or_change_the_screen",
    ),
    "firmware": ("tests/integration/test_samples.py", "tests/integration/test_bootchain_guest.py"),
    "generators": ("tests/integration/test_generators.py",),
    "kernels": (
        "tests/integration/test_silent.py::test_kernels",
        "tests/integration/test_silent.py::test_the_log_in_memory",
    ),
    "live": (
        "tests/integration/test_silent.py::test_a_live_system_with_other_arguments",
        "tests/integration/test_silent.py::test_a_splash_screen_hides_everything_until_the_login",
    ),
    "menus": (
        "tests/integration/test_samples.py::test_the_verdict_is_right[menu-",
        "tests/integration/test_menus.py",
        "tests/integration/test_series.py",
    ),
    "live-build": (
        "tests/integration/test_foreign_images.py::test_a_live_system_with_a_desktop",
        "tests/integration/test_foreign_images.py::test_a_live_system_without_a_desktop",
    ),
    "kiwi": ("tests/integration/test_foreign_images.py::test_a_live_system_by_kiwi",),
    "desktops": (
        "tests/integration/test_foreign_images.py::test_a_greeter_that_waits",
        "tests/integration/test_foreign_images.py::test_a_desktop_that_fails",
        "tests/integration/test_foreign_images.py::test_an_automatic_login",
        "tests/docs/test_desktop_page.py",
    ),
    "installers": (
        "tests/integration/test_foreign_images.py::test_an_installer_whose_menu_waits",
        "tests/integration/test_foreign_images.py::test_programs_installers_and_rescue_disks",
    ),
    "foreign": ("tests/integration/test_foreign_images.py",),
    "packages": ("tests/house/",),
    "pages": ("tests/docs/",),
    "other": ("tests/",),
}
"""The slow tier by name: each can be run alone in less than half an hour. See ``tests/slow.md``."""


def seconds(node: str, *, boots: bool) -> float:
    """How long a test may take on one core; 0 for the many that take next to nothing."""
    return _longest(node, SECONDS.items()) or (BOOTS_S if boots else 0.0)


def together(node: str, *, boots: bool) -> str:
    """The tests that stay on one worker with this one have the same name; ``""`` where it may run anywhere.

    The short tests of a file stay together: giving out each of thousands by itself takes longer than they do.
    """
    short = not seconds(node, boots=boots)
    return _longest(node, TOGETHER.items()) or (node.partition("::")[0] if short else "")


def is_long(node: str) -> bool:
    """Whether a test is one of those that boot nothing and still take long."""
    return node.startswith(LONG)


def group(node: str) -> str:
    """The group of a slow test."""
    names = [(prefix, name) for name, prefixes in GROUPS.items() for prefix in prefixes]
    return _longest(node, names) or ""


def _longest(node: str, rows: Iterable[tuple[str, Value]]) -> Value | None:
    matching = [(len(prefix), value) for prefix, value in rows if node.startswith(prefix)]
    return max(matching, key=lambda row: row[0])[1] if matching else None
