"""Building QEMU: what can be tested without a compiler, with fake tools, and once (slow) the build itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault
from hiperiso.machine.qemu import BINARY, CURRENT, TraceBackend, build_root, find_qemu, trace_backend
from hiperlab.qemu.build import BuildRequest, build_hash, build_qemu, current_build, read_build
from hiperlab.qemu.source import fetch_source, missing_packages, source_sources, system_sources
from waiting import DEADLINE_S

QEMU = '{"version": "7.2.22", "source_version": "1:7.2", "options": []}'
FAKES = {
    # Every package is installed; apt-get "source" leaves a source whose configure and ninja make a QEMU.
    "dpkg-query": 'case "$*" in *qemu-system-x86) printf "ii 1:7.2";; *) printf "ii 1.0";; esac',
    "apt-get": """
case "$*" in
*source*) mkdir qemu-7.2 && cd qemu-7.2 && printf '#!/bin/sh\\ntouch build.ninja\\n' > configure && chmod +x configure;;
esac
echo "$@" >> "$FAKE_LOG"
""",
    "ninja": """
echo ninja >> "$FAKE_LOG"
echo '[1/2] one'
[ ! -e "$FAKE_FAIL" ] || { echo 'cc: error'; exit 1; }
echo '[2/2] two'
mkdir -p trace && echo 'x(void) ""' > trace/trace-events-all
cp "$FAKE_QEMU" qemu-system-x86_64
""",
    "strip": ":",
}
FAKE_QEMU = """#!/bin/sh
case "$*" in
--version) echo 'QEMU emulator version 7.2.22';;
*file=*) out="${*##*file=}"; printf '\\377\\377\\377\\377\\377\\377\\377\\377' > "$out"; cat > /dev/null;;
*) cat > /dev/null;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, body in FAKES.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    (folder / "qemu").write_text(FAKE_QEMU)
    (folder / "qemu").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    for name in ("LOG", "FAIL", "QEMU"):
        monkeypatch.setenv(f"FAKE_{name}", str(folder / name.lower()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HIPERISO_QEMU", raising=False)
    return folder


def test_the_sources_of_the_system_become_sources_of_source_packages() -> None:
    made = source_sources(
        [
            ("sources.list", "# deb x\ndeb [arch=amd64] mirror/debian stable main\ndeb-src y\n"),
            ("a.sources", "Types: deb deb-src\nURIs: mirror/debian\nSuites: stable\n"),
            ("empty.list", "# nothing\n"),
        ]
    )
    assert made == {
        "sources.list": "deb-src [arch=amd64] mirror/debian stable main\n",
        "a.sources": "Types: deb-src\nURIs: mirror/debian\nSuites: stable\n",
    }


def test_the_files_of_the_system_are_found(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb a b c\n")
    (tmp_path / "sources.list.d/x.sources").write_text("Types: deb\n")
    (tmp_path / "sources.list.d/x.save").write_text("no")
    assert [name for name, _ in system_sources(tmp_path)] == ["sources.list", "x.sources"]


def test_a_build_is_made_once_and_then_used(tools: Path) -> None:
    reported: list[tuple[int, int]] = []
    built = build_qemu(BuildRequest(), progress=lambda done, total: reported.append((done, total)))
    assert reported == [(1, 2), (2, 2)]
    assert built.version == "7.2.22" and Path(built.path).name == BINARY
    assert find_qemu() == Path(built.path).resolve()
    assert find_qemu(window=True) != Path(built.path).resolve()
    assert trace_backend(find_qemu()) is TraceBackend.SIMPLE
    assert current_build() is not None
    asked = (tools / "log").read_text()
    assert build_qemu(BuildRequest()) == built and (tools / "log").read_text() == asked
    assert not list(build_root().glob("*.partial"))


def test_an_interrupted_build_goes_on(tools: Path) -> None:
    (tools / "fail").touch()
    with pytest.raises(HarnessFault, match="ninja failed"):
        build_qemu(BuildRequest())
    assert current_build() is None
    assert "cc: error" in (build_root() / "build.log").read_text()
    (tools / "fail").unlink()
    assert build_qemu(BuildRequest()).version == "7.2.22"
    assert (tools / "log").read_text().count(" source ") == 1  # fetched once


def test_a_variable_wins_over_the_build(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_qemu(BuildRequest())
    monkeypatch.setenv("HIPERISO_QEMU", str(tools / "qemu"))
    assert find_qemu() == tools / "qemu"


def test_missing_packages_are_named(tools: Path) -> None:
    (tools / "dpkg-query").write_text("#!/bin/sh\ncase \"$*\" in *meson) ;; *) printf 'ii 1.0';; esac\n")
    assert missing_packages(["gcc", "meson"]) == ["meson"]
    with pytest.raises(HarnessFault, match="packages are missing: meson") as raised:
        build_qemu(BuildRequest())
    assert "--install-deps" in raised.value.hint


def test_a_source_package_without_qemu(tools: Path, tmp_path: Path) -> None:
    (tools / "apt-get").write_text("#!/bin/sh\n:\n")
    with (tmp_path / "log").open("wb") as log, pytest.raises(HarnessFault, match="does not contain QEMU"):
        fetch_source(tmp_path / "fetch", "1:7.2", log)


def test_half_a_build_is_none(tmp_path: Path) -> None:
    assert read_build(tmp_path) is None
    (tmp_path / "build.json").write_text(QEMU)
    assert read_build(tmp_path) is None
    (tmp_path / BINARY).symlink_to(sys.executable)
    assert read_build(tmp_path) is not None
    (tmp_path / "build.json").write_text("{")
    assert read_build(tmp_path) is None


def test_the_name_of_a_build_follows_its_inputs() -> None:
    assert build_hash("1") == build_hash("1") != build_hash("2")


@pytest.mark.slow
def test_the_real_build(tmp_path: Path) -> None:
    built = build_qemu(BuildRequest(install_missing=True), root=tmp_path / CURRENT)
    assert trace_backend(Path(built.path)) is TraceBackend.SIMPLE


def test_info_for_programs(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "hiperlab.cli.main", "qemu", "info", "--json"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(argv, capture_output=True, env=environment, timeout=DEADLINE_S, check=True)
    reported = json.loads(done.stdout)
    assert reported["path"].endswith(BINARY) and reported["own_build"] is None
    assert (reported["version"][0].isdigit(), reported["trace_backend"]) == (True, "log")
