"""Boot menus from the outside: an entry that is chosen, the list of entries, and every entry by its purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiperlab.samples import build_sample
from integration.conftest import Boot
from integration.contract_reader import read_session
from integration.test_series import series

OPTIONS = ("--accel", "tcg", "--ram", "512", "--firmware", "bios", "--timeout", "90")


@pytest.mark.boots
def test_an_entry_behind_a_broken_default_is_chosen_by_its_text(boot: Boot) -> None:
    booted = boot(build_sample("menu-grub-broken-default"), *OPTIONS, "--menu", "Second")
    manifest = read_session(booted.session)
    assert (booted.exit_code, manifest["analysis"]["boot_stage_final"]) == (0, "login"), booted.stdout
    assert manifest["keys_pressed"][-1]["keys"] == ["ret"]
    assert manifest["keys_pressed"][-1]["entry"] == "Second system"


@pytest.mark.slow
@pytest.mark.boots
def test_an_entry_that_does_not_exist_lists_those_that_do(boot: Boot) -> None:
    booted = boot(build_sample("menu-grub-broken-default"), *OPTIONS, "--menu", "Third system")
    assert booted.exit_code == 2
    assert "'Default system', 'Second system'" in booted.manifest["analysis"]["cause"]


@pytest.mark.slow
@pytest.mark.boots
def test_a_list_has_the_entries_of_submenus(tmp_path: Path) -> None:
    code, document, _ = series(tmp_path, build_sample("menu-grub-text"), *OPTIONS, "--menu", "list")
    assert (code, document["stood"], document["firmware"]) == (0, True, "bios")
    assert [(entry["choose"], entry["purpose"]) for entry in document["entries"]] == [
        ("Live system (amd64)", "live"),
        ("Live system (amd64 fail-safe mode)", "live"),
        ("Advanced options ...", "menu"),
        ("Advanced options ...>Text install", "install"),
        ("Advanced options ...>Rescue mode", "rescue"),
    ]
    assert [entry["on_screen"] for entry in document["entries"]] == [True, True, True, False, False]
    assert read_session(Path(document["session"]))["end_reason"] == "menu_listed"


@pytest.mark.slow
@pytest.mark.boots
def test_every_entry_is_booted_and_judged_by_its_purpose(tmp_path: Path) -> None:
    iso = build_sample("menu-grub-text")
    code, document, _ = series(tmp_path, iso, *OPTIONS, "--menu", "all", "--jobs", "2")
    rows = {row["name"]: (row["at"]["purpose"], row["result"], row["stage"]) for row in document["boots"]}
    assert rows == {
        "Live system (amd64)": ("live", "success", "login"),
        "Live system (amd64 fail-safe mode)": ("live", "success", "login"),
        "Advanced options ...>Text install": ("install", "success", "login"),
        "Advanced options ...>Rescue mode": ("rescue", "success", "login"),
    }
    assert code == 0


@pytest.mark.slow
@pytest.mark.boots
def test_a_broken_entry_among_others_fails_all(tmp_path: Path) -> None:
    iso = build_sample("menu-grub-broken-default")
    code, document, _ = series(tmp_path, iso, *OPTIONS, "--menu", "all")
    results = {row["name"]: row["result"] for row in document["boots"]}
    assert results == {"Default system": "failure", "Second system": "success"}
    assert code == 1
