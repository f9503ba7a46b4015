"""Files from a real server on the loopback: whole, resumed, kept, and fetched anew where they changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault, UsageError
from hiperlab.download.fetch import cached_path, fetch
from hiperlab.download.url import is_url
from web_server import Web, served

BODY = bytes(range(256)) * 4096


def test_a_file_is_fetched_once(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with served(a__iso=BODY) as web:
        fetched = fetch(web.url("/a.iso"), tmp_path, lambda have, total: seen.append((have, total)))
        assert fetched.path.name == "a.iso"
        assert fetched.path.read_bytes() == BODY
        assert seen[-1] == (len(BODY), len(BODY))
        again = fetch(web.url("/a.iso"), tmp_path)
        assert again == fetched
    assert web.asked == [("/a.iso", ""), ("/a.iso", "")]  # the second was answered with 304
    assert not list(tmp_path.rglob("*.part"))


def test_a_download_that_breaks_is_resumed(tmp_path: Path) -> None:
    with served(a__iso=BODY) as web:
        web.break_after = [1000, 500_000]
        assert fetch(web.url("/a.iso"), tmp_path).path.read_bytes() == BODY
    assert web.asked == [("/a.iso", ""), ("/a.iso", "bytes=1000-"), ("/a.iso", "bytes=501000-")]


def test_what_has_arrived_is_kept_for_the_next_time(tmp_path: Path) -> None:
    with served(a__iso=BODY) as web:
        web.break_after = [1000, 0, 0, 0, 0, 0, 0]
        with pytest.raises(HarnessFault, match="cannot be reached"):
            fetch(web.url("/a.iso"), tmp_path)
        web.break_after = []
        assert fetch(web.url("/a.iso"), tmp_path).path.read_bytes() == BODY
    assert web.asked[-1] == ("/a.iso", "bytes=1000-")


@pytest.mark.parametrize(("ranges", "validators"), [(False, True), (True, False)])
def test_a_server_that_cannot_resume_is_asked_for_all_of_it(
    ranges: bool, validators: bool, tmp_path: Path
) -> None:
    with served(a__iso=BODY) as web:
        web.ranges, web.validators = ranges, validators
        web.break_after = [1000]
        assert fetch(web.url("/a.iso"), tmp_path).path.read_bytes() == BODY


def test_a_file_that_changed_meanwhile_is_not_joined_with_the_old_one(tmp_path: Path) -> None:
    with served(a__iso=BODY) as web:
        web.break_after = [1000, 0, 0, 0, 0, 0, 0]
        with pytest.raises(HarnessFault):
            fetch(web.url("/a.iso"), tmp_path)
        web.break_after = []
        web.files["/a.iso"] = new = b"new" * 10_000
        assert fetch(web.url("/a.iso"), tmp_path).path.read_bytes() == new
        web.files["/a.iso"] = newer = b"newer" * 100
        assert fetch(web.url("/a.iso"), tmp_path).path.read_bytes() == newer


def test_without_a_network_the_file_of_the_cache_is_taken_and_that_is_said(tmp_path: Path) -> None:
    with served(a__iso=BODY) as web:
        url = web.url("/a.iso")
        fetch(url, tmp_path)
    offline = fetch(url, tmp_path)
    assert offline.path.read_bytes() == BODY
    assert "not checked" in offline.note


def test_what_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with served() as web:
        with pytest.raises(UsageError, match="404"):
            fetch(web.url("/no.iso"), tmp_path)
        gone = Web({}, address=web.address)
    with pytest.raises(HarnessFault, match="cannot be reached"):
        fetch(gone.url("/a.iso"), tmp_path)
    with pytest.raises(UsageError, match="not a valid URL"):
        fetch("http://127.0.0.1:port/x", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(HarnessFault, match="cannot write"):
        fetch(gone.url("/a.iso"), tmp_path / "file")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://x/a/debian%2012.iso", "debian-12.iso"),
        ("http://x/..%2f..%2fetc", "etc"),
        ("http://x/", "image.iso"),
        ("http://x/a.iso?download=1", "a.iso"),
    ],
)
def test_the_name_of_a_url_is_a_name(url: str, name: str, tmp_path: Path) -> None:
    place = cached_path(url, tmp_path)
    assert place.name == name
    assert place.resolve().is_relative_to(tmp_path.resolve())


def test_what_a_url_is() -> None:
    assert is_url("https://example.org/a.iso") and is_url("HTTP://example.org")
    assert not is_url("a.iso") and not is_url("file:///a.iso") and not is_url(None)
