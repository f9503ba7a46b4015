"""A reader of session directories, written against the interface contract alone: it imports nothing of the product.

`read_session` takes a directory apart and raises `ContractError` at the first place that is not as the contract says.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

RESULTS = {"success", "failure", "incomplete", "no_serial"}
DOMAINS = {"none", "firmware", "bootloader", "kernel", "hardware", "userspace", "unknown"}
STAGES = {"mounted", "kvm_ok", "tcg_emulation", "launching_qemu", "qemu_exited", "session_complete"} | {
    "fallback_no_kvm",
    "iso_not_found",
    "fatal_error",
}
TRACE_LEVELS = {"standard", "detailed", "full", "none"}
KVM = {"available", "unavailable", "unknown"}

START_FIELDS: dict[str, type | tuple[type, ...]] = {
    "session_id": str,
    "status": str,
    "iso_path": str,
    "iso_basename": str,
    "log_dir": str,
    "start_time_utc": str,
    "kvm": str,
    "trace_level": str,
    "guest_ram_mb": int,
    "guest_cpus": int,
}
END_FIELDS: dict[str, type | tuple[type, ...]] = START_FIELDS | {
    "result": str,
    "end_time_utc": str,
    "qemu_exit_code": (int, type(None)),
    "report_available": int,
    "host": dict,
    "analysis": dict,
    "hw_inventory": dict,
}
HOST_FIELDS: dict[str, type | tuple[type, ...]] = {
    "kernel_version": str,
    "cpu_model": str,
    "cpu_logical_cores": int,
    "total_ram_mb": int,
    "virt_supported": bool,
}
ANALYSIS_FIELDS: dict[str, type | tuple[type, ...]] = {
    "boot_result": str,
    "boot_stage_final": str,
    "failure_domain": str,
    "reached_login": int,
    "kernel_panic_count": int,
    "error_count": int,
    "has_serial": int,
    "has_trace": int,
    "boot_duration_ms": int,
    "graphics_drivers": str,
    "graphics_resolution": str,
}
HARDWARE_FIELDS: dict[str, type | tuple[type, ...]] = {
    "available": bool,
    "files": str,
    "has_timing": bool,
    "has_network_pcap": bool,
}
INDEX_FIELDS = (
    *(
        "session_id",
        "status",
        "result",
        "iso_basename",
        "iso_path",
        "log_dir",
        "start_time_utc",
        "end_time_utc",
    ),
    *("kvm", "trace_level", "qemu_exit_code", "report_available"),
    *("boot_result", "boot_stage_final", "failure_domain", "graphics_drivers"),
)


class ContractError(AssertionError):
    """The directory is not what the contract promises."""


def read_session(directory: Path) -> dict[str, Any]:
    """The manifest of an ended session, after everything in the directory was found to be as the contract says."""
    for name in ("session.json", "status.json", "env.txt"):
        _need((directory / name).is_file(), f"{name} is guaranteed")
    manifest: dict[str, Any] = read_json(directory / "session.json")
    _fields(manifest, END_FIELDS, "session.json")
    _check_manifest(manifest, directory)
    _check_status(read_json(directory / "status.json"), manifest)
    _need((directory / "env.txt").read_text().strip() != "", "env.txt says something")
    _need((directory / "SESSION_COMPLETE").is_file(), "SESSION_COMPLETE is written at the end")
    failed = manifest["status"] == "failed" or manifest["result"] == "failure"
    _need((directory / "FAILURE.txt").is_file() == failed, "FAILURE.txt is present only on failure")
    _need(bool(manifest["report_available"]) == (directory / "report.json").is_file(), "report_available")
    if manifest["report_available"]:
        for name in ("report.txt", "report.log"):
            _need((directory / name).is_file(), f"{name} beside report.json")
        _check_meta(directory / "analysis.meta", manifest["analysis"])
    _check_timing(directory, manifest)
    _check_index(directory, manifest)
    if manifest["qemu_exit_code"] is not None:
        _check_launched(directory, manifest)
    return manifest


def read_json(path: Path) -> Any:
    """A JSON file of the contract."""
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ContractError(f"{path.name} is not JSON: {error}") from None


def read_index(log_root: Path) -> list[dict[str, Any]]:
    """All lines of the corpus index."""
    return [json.loads(line) for line in (log_root / "index.jsonl").read_text().splitlines()]


def check_started(manifest: dict[str, Any]) -> None:
    """A session.json as it stands at the start."""
    _fields(manifest, START_FIELDS, "session.json at the start")
    _need(manifest["status"] == "started", "status is started")
    _need("result" not in manifest, "no result yet")


def _check_manifest(manifest: dict[str, Any], directory: Path) -> None:
    _need(manifest["session_id"] == directory.name, "session_id is the basename of the directory")
    basename, _, stamp = directory.name.rpartition("_")
    _need(
        bool(basename) and datetime.strptime(stamp, "%Y%m%dT%H%M%SZ") is not None,
        "<basename>_<UTC-timestamp>",
    )
    _need(manifest["status"] in ("complete", "failed"), "final status")
    _need(manifest["result"] in RESULTS, "result")
    _need(manifest["iso_path"].endswith(manifest["iso_basename"]), "iso_basename")
    _need(manifest["log_dir"] == str(directory) and not manifest["log_dir"].endswith("/"), "log_dir")
    start, end = (_time(manifest[key]) for key in ("start_time_utc", "end_time_utc"))
    _need(start <= end, "it ends after it starts")
    _need(manifest["kvm"] in KVM and manifest["trace_level"] in TRACE_LEVELS, "kvm, trace_level")
    _need(manifest["guest_ram_mb"] > 0 and manifest["guest_cpus"] > 0, "sizes")
    _need(manifest["report_available"] in (0, 1), "report_available")
    _fields(manifest["host"], HOST_FIELDS, "host")
    _fields(manifest["analysis"], ANALYSIS_FIELDS, "analysis")
    analysis = manifest["analysis"]
    _need(analysis["boot_result"] == manifest["result"], "boot_result is result")
    _need(analysis["failure_domain"] in DOMAINS, "failure_domain")
    for flag in ("reached_login", "has_serial", "has_trace"):
        _need(analysis[flag] in (0, 1), flag)
    resolution = analysis["graphics_resolution"]
    _need(resolution == "" or re.fullmatch(r"\d+x\d+", resolution) is not None, "graphics_resolution")
    _fields(manifest["hw_inventory"], HARDWARE_FIELDS, "hw_inventory")
    inventory = manifest["hw_inventory"]
    present = {path.name for path in (directory / "hw").glob("*")} if (directory / "hw").is_dir() else set()
    _need(inventory["available"] == bool(present), "hw_inventory.available")
    _need(set(filter(None, inventory["files"].split(","))) == present, "hw_inventory.files")
    _need(inventory["has_timing"] == (directory / "timing.json").is_file(), "has_timing")
    _need(inventory["has_network_pcap"] == (directory / "network.pcap").is_file(), "has_network_pcap")


def _check_status(status: dict[str, Any], manifest: dict[str, Any]) -> None:
    _need(status["session_id"] == manifest["session_id"], "status.json session_id")
    _need(status["status"] == manifest["status"], "status.json status at the end")
    _need(status["stage"] in STAGES, "status.json stage")
    _need(status.get("qemu_exit_code") == manifest["qemu_exit_code"], "status.json qemu_exit_code")
    _time(status["timestamp_utc"])


def _check_meta(path: Path, analysis: dict[str, Any]) -> None:
    meta = dict(line.split("=", 1) for line in path.read_text().splitlines())
    lowered = {key.lower(): value for key, value in meta.items()}
    for key in ANALYSIS_FIELDS:
        _need(lowered.get(key) == str(analysis[key]), f"analysis.meta {key}")


def _check_timing(directory: Path, manifest: dict[str, Any]) -> None:
    if not (directory / "timing.dat").is_file():
        return
    for line in (directory / "timing.dat").read_text().splitlines():
        phase, uptime, moment = line.split("\t")
        _need(bool(phase) and float(uptime) >= 0, "timing.dat")
        datetime.fromisoformat(moment)
    timing = read_json(directory / "timing.json")
    _need(timing["session_id"] == manifest["session_id"], "timing.json")
    _need(all(phase["delta_ms"] >= 0 for phase in timing["phases"]), "per-phase deltas")


def _check_index(directory: Path, manifest: dict[str, Any]) -> None:
    lines = [line for line in read_index(directory.parent) if line["session_id"] == manifest["session_id"]]
    _need(len(lines) == 1, f"one line in index.jsonl, not {len(lines)}")
    flat = manifest["analysis"] | manifest
    _need(lines[0] == {key: flat[key] for key in INDEX_FIELDS}, "the index line agrees with the manifest")


def _check_launched(directory: Path, manifest: dict[str, Any]) -> None:
    for name in ("serial.log", "qemu.cmdline", "HEARTBEAT"):
        _need((directory / name).is_file(), f"{name} of a session that ran QEMU")
    _need(
        manifest.get("image_file", manifest["iso_path"])
        in (directory / "qemu.cmdline").read_text().replace(",,", ","),
        "the ISO was booted",
    )


def _fields(value: dict[str, Any], wanted: dict[str, type | tuple[type, ...]], what: str) -> None:
    for key, kind in wanted.items():
        _need(key in value, f"{what}: {key} is missing")
        right = isinstance(value[key], kind) and (kind is bool or not isinstance(value[key], bool))
        _need(right, f"{what}: {key} is {value[key]!r}")


def _time(text: str) -> datetime:
    _need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text) is not None, f"time {text!r}")
    return datetime.fromisoformat(text)


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ContractError(what)
