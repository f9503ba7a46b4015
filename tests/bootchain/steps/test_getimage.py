"""getimage: real servers, each of the tools an initramfs may have, and what goes wrong on the way."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from waiting import DEADLINE_S, wait_until

from ..test_foreground import run_on_pty
from .places import Chain, ext4, run, squashfs
from .servers import Site, ftp, http

TOOLS = ("curl", "wget", "busybox")


def bare(chain: Chain, tool: str, *more: str) -> Chain:
    """Give a chain a PATH with the applets of busybox and one tool to fetch with."""
    place = chain.place / "tools"
    place.mkdir()
    for name in subprocess.check_output(["busybox", "--list"], text=True).split():
        place.joinpath(name).symlink_to("/usr/bin/busybox")
    if tool != "busybox":
        place.joinpath("wget").unlink()
    for name in ("unshare", tool, *more):
        place.joinpath(name).unlink(missing_ok=True)
        real = next(p for p in (Path("/usr/bin", name), Path("/usr/sbin", name)) if p.exists())
        place.joinpath(name).symlink_to(real)
    chain.environment["PATH"] = str(place)
    return chain


@pytest.fixture(params=TOOLS)
def each_tool(request: pytest.FixtureRequest, ram: Path) -> Chain:
    """A chain in an initramfs that has but one tool to fetch with."""
    return bare(Chain(ram), str(request.param))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A squashfs of a few hundred KB that cannot be compressed."""
    noise = random.Random(1).randbytes(300_000).hex()
    files = {"sbin/init": "stage 2", "noise": noise}
    return squashfs(tmp_path_factory.mktemp("image") / "a.sqfs", files).read_bytes()


START = "root=bootchain bootchain=noretry,getimage,rootfs"
LOOK = "cat sbin/init >../out"


def test_an_image_is_fetched_and_mounted(each_tool: Chain, image: bytes) -> None:
    each_tool.after = LOOK
    with http(Site({"/live/rescue.img": image})) as site:
        ended = each_tool.run(f"{START} getimage={site.url}/live/rescue.img")
    assert (ended.code, each_tool.out()) == (0, "stage 2"), ended.log
    assert len(site.requests) == 1
    assert f"fetching {site.url}/live/rescue.img" in ended.log
    assert f"is here, {len(image)} bytes" in ended.log


def test_a_cut_connection_is_resumed(each_tool: Chain, image: bytes) -> None:
    each_tool.after = LOOK
    right = hashlib.sha256(image).hexdigest()
    with http(Site({"/a.img": image}, cuts=[100_000, 70_000])) as site:
        ended = each_tool.run(f"{START} getimage={site.url}/a.img#sha256={right}")
    assert (ended.code, each_tool.out()) == (0, "stage 2"), ended.log
    assert [first for _, first in site.requests] == [0, 100_000, 170_000]
    assert "the sha256 is right" in ended.log


def test_a_server_that_cannot_resume_sends_it_all_again(each_tool: Chain, image: bytes) -> None:
    each_tool.after = LOOK
    with http(Site({"/a.img": image}, cuts=[100_000], ranges=False)) as site:
        ended = each_tool.run(f"{START} getimage={site.url}/a.img#sha256={hashlib.sha256(image).hexdigest()}")
    assert (ended.code, each_tool.out()) == (0, "stage 2"), ended.log


def test_another_try_of_the_step_goes_on(each_tool: Chain, image: bytes) -> None:
    """The server hangs up without a byte more often than one try bears."""
    each_tool.after = LOOK
    with http(Site({"/a.img": image}, cuts=[100_000, 0, 0, 0])) as site:
        ended = each_tool.run(f"root=bootchain bootchain=getimage,rootfs getimage={site.url}/a.img")
    assert (ended.code, each_tool.out()) == (0, "stage 2"), ended.log


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha384", "sha512"])
def test_checksums(chain: Chain, image: bytes, algorithm: str) -> None:
    path = chain.place / "a.img"
    path.write_bytes(image)
    right = hashlib.new(algorithm, image).hexdigest()
    for given in (f"{algorithm}:{right}", right.upper(), f"{algorithm}={right}"):
        ended = chain.run(f"{START} getimage=file://{path} getimage-checksum={given}")
        assert ended.code == 0, ended.log
        assert f"the {algorithm} is right" in ended.log


def test_a_wrong_checksum_is_fatal_and_the_file_is_fetched_again(each_tool: Chain, image: bytes) -> None:
    with http(Site({"/a.img": image})) as site:
        ended = each_tool.run(
            f"root=bootchain bootchain=getimage,rootfs pipe-retry=2 getimage={site.url}/a.img#sha256={'0' * 64}"
        )
    assert [code for _, _, code in ended.steps] == [1, 1]
    assert f"is {hashlib.sha256(image).hexdigest()}, not {'0' * 64}" in ended.log
    assert len(site.requests) == 2
    assert not each_tool.mnt.joinpath("src/step0/a.img").exists()


def test_what_the_server_refuses_is_not_asked_for_again(each_tool: Chain) -> None:
    with http(Site({})) as site:
        ended = each_tool.run(f"{START} getimage={site.url}/missing.img")
    assert ended.code == 1
    assert len(site.requests) == 1
    assert f"cannot fetch {site.url}/missing.img: the server answers 404" in ended.log


def test_a_server_in_trouble_is_asked_three_times(each_tool: Chain) -> None:
    with http(Site({"/a.img": b"x"}, status=503)) as site:
        ended = each_tool.run(f"{START} getimage={site.url}/a.img")
    assert ended.code == 1
    assert len(site.requests) == 3
    assert "the server answers 503" in ended.log


def test_redirects_are_followed(each_tool: Chain, image: bytes) -> None:
    each_tool.after = LOOK
    with http(Site({"/a.img": image})) as site:
        site.redirect["/latest"] = f"{site.url}/a.img"
        ended = each_tool.run(f"{START} getimage={site.url}/latest")
    assert (ended.code, each_tool.out()) == (0, "stage 2"), ended.log


def test_no_listener(each_tool: Chain) -> None:
    ended = each_tool.run(f"{START} getimage=http://127.0.0.1:1/a.img")
    assert ended.code == 1
    assert "cannot fetch http://127.0.0.1:1/a.img: " in ended.log
    assert "onnect" in ended.log


def test_ftp_with_a_cut(each_tool: Chain, image: bytes) -> None:
    each_tool.after = LOOK
    with ftp(Site({"/pub/a.img": image}, cuts=[100_000])) as site:
        ended = each_tool.run(f"{START} getimage={site.url}/pub/a.img#{hashlib.sha256(image).hexdigest()}"
                              .replace("#", "#sha256="))  # fmt: skip
    assert (ended.code, each_tool.out()) == (0, "stage 2"), ended.log
    assert [first for _, first in site.requests] == [0, 100_000]


def test_a_password_does_not_reach_the_log(each_tool: Chain, image: bytes) -> None:
    with http(Site({"/a.img": image})) as site:
        ended = each_tool.run(f"{START} getimage={site.url.replace('//', '//user:geheim@')}/a.img")
    assert ended.code == 0, ended.log
    log = "\n".join(line for line in ended.log.splitlines() if line.startswith("getimage"))
    assert "geheim" not in log and "//***@127.0.0.1" in log


def test_a_local_file_is_used_where_it_is(each_shell: Chain, image: bytes) -> None:
    path = each_shell.place / "my image#1.img"
    path.write_bytes(image)
    each_shell.after = LOOK
    name = str(path).replace(" ", "%20").replace("#", "%23")
    for url in (f"file://{name}", f"file://localhost{name}"):
        ended = each_shell.run(f"{START} getimage={url}")
        assert (ended.code, each_shell.out()) == (0, "stage 2"), ended.log
    assert all(left.is_symlink() for left in each_shell.mnt.joinpath("src/step0").iterdir())


def test_mount_no_leaves_the_file_as_the_result(each_shell: Chain, image: bytes) -> None:
    each_shell.after = LOOK
    with http(Site({"/a.img": image})) as site:
        ended = each_shell.run(
            "root=bootchain bootchain=noretry,getimage,mountfs,rootfs "
            f"getimage={site.url}/a.img?x=1&y=2#mount=no mountfs=a.img"
        )
    assert (ended.code, each_shell.out()) == (0, "stage 2"), ended.log


def test_each_call_fetches_its_own(each_shell: Chain, tmp_path: Path, image: bytes) -> None:
    other = squashfs(tmp_path / "b", {"b": ""}).read_bytes()
    each_shell.after = "ls >../out"
    with http(Site({"/a": image, "/b": other})) as site:
        ended = each_shell.run(
            "root=pipeline pipeline=noretry,getimage,getimage,overlayfs,rootfs "
            f"getimage={site.url}/a getimage={site.url}/b overlayfs=pipe0,pipe1"
        )
    assert (ended.code, each_shell.out()) == (0, "b\nnoise\nsbin\n"), ended.log


def test_the_second_example_of_the_document(each_tool: Chain, tmp_path: Path, image: bytes) -> None:
    """ext4 stands for ISO 9660, which this kernel does not know; all is done by busybox."""
    source = tmp_path / "tree"
    source.mkdir()
    source.joinpath("rescue").write_bytes(image)
    iso = ext4(tmp_path / "vi.iso", source, size_kib=4096).read_bytes()
    each_tool.after = "echo new >file; cat sbin/init file >../out"
    with http(Site({"/pub/vi.iso": iso}, cuts=[1_000_000])) as site:
        ended = each_tool.run(
            "root=pipeline pipeline=getimage,mountfs,overlayfs,rootfs "
            f"getimage={site.url}/pub/vi.iso mountfs=rescue"
        )
    assert (ended.code, each_tool.out()) == (0, "stage 2new\n"), ended.log


@pytest.mark.parametrize(
    ("cmdline", "message"),
    [
        ("", "required parameter is empty: GETIMAGE0"),
        ("getimage=/etc/passwd", "cannot fetch /etc/passwd: only http:// https:// ftp:// file:/// are known"),
        ("getimage=gopher://x/y", "cannot fetch gopher://x/y: only"),
        ("getimage=file:///nonexistent%20file", "no such file: /nonexistent file"),
        ("getimage=file:///etc/passwd", "cannot mount file:///etc/passwd"),
        ("getimage=file:///etc/passwd#sha256=12", "a checksum of 2 digits is no sha256: sha256=12"),
        ("getimage=file:///etc/passwd getimage-checksum=12xy", "the checksum is not hexadecimal: 12xy"),
        ("getimage=file:///etc/passwd#crc=1", "unknown option 'crc=1' after # in getimage="),
    ],
)
def test_failures_say_why(each_shell: Chain, cmdline: str, message: str) -> None:
    ended = each_shell.run(f"{START} {cmdline}")
    assert ended.code == 1
    assert message in ended.log


def test_without_a_tool(chain: Chain) -> None:
    bare(chain, "busybox").place.joinpath("tools", "wget").unlink()
    ended = chain.run(f"{START} getimage=http://127.0.0.1/a")
    assert "cannot fetch http://127.0.0.1/a: there is neither curl nor wget" in ended.log


def test_what_is_not_an_image_is_fetched_again_when_it_may_not_be_whole(chain: Chain) -> None:
    for length, requests in ((True, 1), (False, 2)):
        with http(Site({"/a": b"no image" * 100}, length=length)) as site:
            ended = chain.run(f"root=bootchain bootchain=getimage,rootfs pipe-retry=2 getimage={site.url}/a")
        assert ended.code == 1
        assert len(site.requests) == requests


def test_progress_is_reported(each_tool: Chain, image: bytes) -> None:
    half, percent = len(image) // 2, len(image) // 2 * 100 // len(image)
    line = f"getimage: {half >> 10} of {len(image) >> 10} KiB ({percent} %)"

    def reported() -> bool:
        return each_tool.log.exists() and line in each_tool.log.read_text(errors="replace")

    with http(Site({"/a.img": image}, cuts=[half], silent_until=reported)) as site:
        ended = each_tool.run(f"{START} getimage={site.url}/a.img getimage-timeout=1000")
    assert ended.code == 0, ended.log
    assert line in ended.log
    assert each_tool.mnt.joinpath("src/step0/progress").read_text().strip() in (str(percent), "100")


def test_a_server_that_falls_silent_is_left(each_tool: Chain, image: bytes) -> None:
    with http(Site({"/a.img": image}, cuts=[100_000], silent_until=lambda: False)) as site:
        ended = each_tool.run(f"{START} getimage={site.url}/a.img getimage-timeout=2")
    assert ended.code == 0, ended.log
    assert "nothing has come for 2 seconds" in ended.log
    assert [first for _, first in site.requests] == [0, 100_000]


def test_a_daemon_that_is_stopped_leaves_no_download(chain: Chain, image: bytes) -> None:
    with http(Site({"/a.img": image}, cuts=[100_000], silent_until=lambda: False)) as site:
        argv = chain.argv(f"{START} getimage={site.url}/a.img")
        with subprocess.Popen(argv, env=chain.env(), stderr=subprocess.DEVNULL) as process:
            wait_until(lambda: bool(site.requests), "no request came")
            mine = subprocess.check_output(["pgrep", "-f", f"{site.url}/a.img"], text=True).split()
            daemon = next(pid for pid in mine if "bootchain/daemon" in Path(f"/proc/{pid}/cmdline").read_text()
                          and "bootchain-loop" in Path(f"/proc/{pid}/comm").read_text())  # fmt: skip
            os.kill(int(daemon), signal.SIGTERM)
            assert process.wait(DEADLINE_S) == 143
        fetching = ["pgrep", "-f", f"{site.url}/a.img"]
        wait_until(
            lambda: subprocess.run(fetching, capture_output=True, check=False).stdout == b"", "it goes on"
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that is its own authority, beside its key."""
    place = tmp_path_factory.mktemp("authority")
    run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", place / "key", "-out", place / "cert",
    )  # fmt: skip
    return place


def test_https_checks_the_certificate(each_tool: Chain, image: bytes, authority: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority / "cert", authority / "key")
    small = each_tool.place.joinpath("tools/wget")
    checked = not (small.exists() and small.resolve().name == "busybox")
    with http(Site({"/a.img": image}), tls) as site:
        ended = each_tool.run(f"{START} getimage={site.url}/a.img")
        assert ("may not check certificates" in ended.log) is not checked
        if checked:
            assert ended.code == 1 and "certificate" in ended.log
        if each_tool.place.joinpath("tools/curl").exists():
            each_tool.environment["SSL_CERT_FILE"] = str(authority / "cert")
            ended = each_tool.run(f"{START} getimage={site.url}/a.img")
            assert ended.code == 0, ended.log


def test_a_gauge_in_the_foreground(each_shell: Chain, image: bytes) -> None:
    seen = threading.Event()
    with http(Site({"/a.img": image}, cuts=[len(image) // 2], silent_until=seen.is_set)) as site:
        ended, shown = run_on_pty(
            each_shell,
            f"root=bootchain bootchain=noretry,fg,getimage,rootfs getimage={site.url}/a.img getimage-timeout=1000",
            after=f" {len(image) // 2 * 100 // len(image)} %",
            then=seen.set,
        )
    assert ended.code == 0, ended.log
    assert seen.is_set(), "half of it is shown while the other half is still to come"
    assert f"Fetching {site.url}/a.img" in shown


def test_an_image_that_does_not_fit_is_not_fetched_twice(each_tool: Chain, image: bytes) -> None:
    each_tool.step("small", 'mkdir "$mntdir/src/step1"; mount -t tmpfs -o size=100k none "$mntdir/src/step1"')
    with http(Site({"/a.img": image})) as site:
        ended = each_tool.run(f"root=bootchain bootchain=small,noretry,getimage getimage={site.url}/a.img")
    assert ended.code == 1
    assert "it does not fit into memory" in ended.log
    assert len(site.requests) == 1
