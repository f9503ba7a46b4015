"""The map in docs/interfaces.md names only code and tests that exist, and leaves nothing of the document out."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.manifest import Analysis, Host, HwInventory, Manifest
from hiperiso.contract.settings import ALL_ROWS
from hiperiso.contract.words import LifecycleStage

TESTS = Path(__file__).parents[2]
ROOT = TESTS.parent
DOC = ROOT / "docs" / "interfaces.md"
ROW = re.compile(
    r"^\| (?P<says>.+) \| (?:"
    r"`(?P<code>[^`]+)` \| `(?P<file>(?:[a-z_]+/)+test_[a-z_0-9]+\.py)::(?P<test>test_[a-z_0-9]+)`"
    r"|departure \| (?P<reason>.+)"
    r") \|$"
)


def listed(text: str) -> list[str]:
    return text.split()


VARIABLES = listed(
    """
    ISO_PATH LOG_DIR TRACE_LEVEL GUEST_RAM GUEST_CPUS DISPLAY VGA FALLBACK
    AUTO_INSTALL PERSISTENCE DUD INJECTION CONF_REPLACE SECURE_BOOT TPM CPU_FEATURES BOOT_MODE NET_DUMP
    """
)
PLACES = listed(
    """
    DATA_PART EFI_PART EFI_MOUNT DATA_MOUNT EFI_PAYLOAD_DIR KERNEL_PATH INITRAMFS_PATH OVMF_PATH TRACE_EVENTS_DIR
    GRUB_CFG HIPERISO_JSON
    """
)
ARTIFACTS = listed(
    """
    session.json status.json env.txt serial.log trace.bin qemu.cmdline monitor.sock timing.dat timing.json hw/
    network.pcap report.json report.txt report.log analysis.meta HEARTBEAT SESSION_COMPLETE FAILURE.txt
    /hiperiso/logs/index.jsonl
    """
)
FIELDS = listed(
    """
    session_id status result iso_path iso_basename log_dir start_time_utc end_time_utc kvm trace_level guest_ram_mb
    guest_cpus qemu_exit_code report_available host kernel_version cpu_model cpu_logical_cores total_ram_mb
    virt_supported analysis boot_result boot_stage_final failure_domain reached_login kernel_panic_count error_count
    has_serial has_trace boot_duration_ms graphics_drivers graphics_resolution hw_inventory available files has_timing
    has_network_pcap timestamp_utc
    """
)
STAGES = (
    *("mounted", "kvm_ok", "tcg_emulation", "launching_qemu", "qemu_exited", "session_complete"),
    *("fallback_no_kvm", "iso_not_found", "fatal_error"),
)
OTHERS = (
    *(
        "control",
        "theme",
        "menu_alias",
        "menu_tip",
        "iso_overrides",
        "hiperiso_boot",
        "hiperiso_iso=...",
        "VTOYEFI",
    ),
    *("/ventoy/ventoy.cpio", "0x22", "scripts/package_release.sh", "scripts/build_grub2_204.sh"),
    *("hiperiso-log analyze <log_dir>", "hiperiso-log serial <serial.log> [--stages]"),
)


def rows() -> list[re.Match[str]]:
    lines = [
        line
        for line in DOC.read_text().partition("## The map")[2].splitlines()
        if line.startswith("|") and not line.startswith(("| the document says", "|---"))
    ]
    found = [(line, ROW.match(line)) for line in lines]
    assert not [line for line, match in found if match is None]
    return [match for _, match in found if match]


@cache
def functions_of(file: Path) -> frozenset[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.parse(file.read_text()).body if isinstance(node, functions))


def test_code_and_tests_exist() -> None:
    for row in rows():
        if row["code"]:
            assert (ROOT / "src" / row["code"]).is_file(), row[0]
            assert (TESTS / row["file"]).is_file() and row["test"] in functions_of(TESTS / row["file"]), row[
                0
            ]


def test_a_departure_has_a_reason() -> None:
    departures = [row for row in rows() if row["reason"]]
    assert all(len(row["reason"].split()) >= 8 for row in departures)
    assert len(departures) < len(rows()) / 8


def test_everything_that_the_document_names_is_there() -> None:
    says = [row["says"] for row in rows()]
    text = "\n".join(says)
    for word in (*(f"HIPERISO_{name}" for name in VARIABLES), *PLACES, *ARTIFACTS, *FIELDS, *STAGES, *OTHERS):
        assert f"`{word}`" in text, word
    assert len(says) == len(set(says))


def test_the_lists_here_are_those_of_the_program() -> None:
    """A word that the program has of the document, and this test has not, would be held by nothing."""
    assert {f"HIPERISO_{name}" for name in VARIABLES} <= {row.variable for row in ALL_ROWS}
    assert set(STAGES) == set(LifecycleStage)
    known = {value for name, value in vars(files).items() if name.isupper() and isinstance(value, str)}
    assert {name.rstrip("/").rpartition("/")[2] for name in ARTIFACTS} <= known
    fields = {name for struct in (Manifest, Host, Analysis, HwInventory) for name in struct.__struct_fields__}
    assert set(FIELDS) - fields == {"timestamp_utc"}
