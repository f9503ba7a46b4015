"""Builds real samples and looks into them with xorriso; booting them is the business of the boot tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.contract.words import FirmwareKind
from hiperiso.errors import HarnessFault, UsageError
from hiperiso.packages import install_hint
from hiperlab.debian.packages import BUSYBOX, Asset, Sources
from hiperlab.elf import is_static_elf
from hiperlab.samples import build_sample, find_sample, list_samples
from hiperlab.samples.guests import LOGIN
from hiperlab.samples.iso import recipe_key
from hiperlab.samples.recipes import linux_recipe
from waiting import DEADLINE_S


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def el_torito(iso: Path) -> str:
    argv = ["xorriso", "-indev", str(iso), "-report_el_torito", "plain"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def platforms(iso: Path) -> set[str]:
    return set(re.findall(r"El Torito boot img :\s+\d+\s+(\S+)", el_torito(iso)))


def test_names_are_unique_and_described() -> None:
    names = [sample.name for sample in list_samples()]
    assert len(names) == len(set(names)) >= 25
    for sample in list_samples():
        assert re.fullmatch(r"[a-z0-9-]+", sample.name)
        assert sample.description
        assert sample.outcomes
        assert 0 < sample.seconds_estimate <= 600


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing-kernel", {"BIOS", "UEFI"}),
        ("login-serial", {"BIOS", "UEFI"}),
        ("bios-only", {"BIOS"}),
        ("uefi-only", {"UEFI"}),
        ("isolinux-login", {"BIOS"}),
        ("triple-fault", {"BIOS"}),
        ("not-bootable", set()),
    ],
)
def test_the_boot_catalogue_is_what_the_sample_claims(cache: Path, name: str, expected: set[str]) -> None:
    assert platforms(build_sample(name, cache=cache)) == expected


def test_the_truncated_initrd_is_shorter_by_half(cache: Path, tmp_path: Path) -> None:
    sizes = {}
    for name in ("login-serial", "truncated-initrd"):
        out = tmp_path / name
        iso = build_sample(name, cache=cache)
        argv = ["xorriso", "-osirrox", "on", "-indev", str(iso), "-extract", "/boot/initrd.gz", str(out)]
        subprocess.run(argv, capture_output=True, check=True)
        sizes[name] = out.stat().st_size
    assert sizes["truncated-initrd"] == sizes["login-serial"] // 2


def test_the_second_build_is_the_file_of_the_first(cache: Path) -> None:
    first = build_sample("not-bootable", cache=cache)
    before = first.stat()
    second = build_sample("not-bootable", cache=cache)
    assert second == first
    assert (second.stat().st_ino, second.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_copy_goes_to_a_folder_or_to_a_name(cache: Path, tmp_path: Path) -> None:
    in_folder = build_sample("not-bootable", tmp_path, cache=cache)
    by_name = build_sample("not-bootable", tmp_path / "new" / "data.iso", cache=cache)
    assert in_folder == tmp_path / "not-bootable.iso"
    assert (
        by_name.read_bytes()
        == in_folder.read_bytes()
        == build_sample("not-bootable", cache=cache).read_bytes()
    )
    assert os.access(by_name, os.W_OK)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "not-bootable.iso"]


def test_several_processes_build_it_once_and_leave_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from hiperlab.samples import build_sample; "
        "print(build_sample('missing-kernel', cache=pathlib.Path(sys.argv[1])))"
    )
    argv = [sys.executable, "-c", code, str(tmp_path)]
    builders = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    paths = {builder.communicate(timeout=DEADLINE_S)[0].strip() for builder in builders}
    assert [builder.returncode for builder in builders] == [0] * 4
    assert [str(path) for path in tmp_path.glob("*/*.iso")] == list(paths)
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.name.startswith(".")]


def test_a_changed_recipe_or_input_has_another_key(tmp_path: Path) -> None:
    sources = Sources(cache=tmp_path)
    key = recipe_key(linux_recipe(LOGIN, "quiet"), sources)
    assert key == recipe_key(linux_recipe(LOGIN, "quiet"), sources)
    assert key != recipe_key(linux_recipe(LOGIN, "quiet splash"), sources)

    other = tmp_path / "other-root"
    for path in (*BUSYBOX.paths[:1], str(sources.find(sources_kernel()).relative_to("/"))):
        target = other / path
        target.parent.mkdir(parents=True)
        shutil.copy(Path("/") / path, target)
        with target.open("ab") as handle:
            handle.write(b"changed")
    assert key != recipe_key(linux_recipe(LOGIN, "quiet"), Sources(cache=tmp_path, root=other))


def sources_kernel() -> Asset:
    from hiperlab.debian.packages import INSTALLER_LINUX

    return INSTALLER_LINUX


def test_an_unknown_name_is_a_usage_error_that_lists_the_known(cache: Path) -> None:
    with pytest.raises(UsageError, match="no-such") as caught:
        build_sample("no-such", cache=cache)
    assert "login-serial" in caught.value.hint


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "apt-get").write_text("#!/bin/sh\necho 'E: Unable to locate package' >&2\nexit 100\n")
    (tools / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    with pytest.raises(HarnessFault, match=r"busybox-static.*Unable to locate") as caught:
        Sources(cache=tmp_path / "cache", root=tmp_path).find(BUSYBOX)
    assert "busybox-static" in caught.value.hint


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HarnessFault, match="xorriso") as caught:
        build_sample("not-bootable", cache=tmp_path / "cache")
    assert caught.value.hint == install_hint("xorriso")
    assert not list((tmp_path / "cache").glob("*/*.iso"))


def test_static_programs_are_distinguished_from_dynamic_ones(tmp_path: Path) -> None:
    assert is_static_elf(Path("/bin/busybox"))
    assert not is_static_elf(Path("/bin/ls"))
    (tmp_path / "text").write_text("#!/bin/sh\n")
    assert not is_static_elf(tmp_path / "text")


def test_outcomes_are_asked_by_firmware() -> None:
    sample = find_sample("bios-only")
    assert sample.outcome("bios") != sample.outcome(FirmwareKind.UEFI)
    with pytest.raises(KeyError):
        find_sample("ipxe").outcome(FirmwareKind.UEFI)
