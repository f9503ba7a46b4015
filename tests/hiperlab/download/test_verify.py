"""Checksums, lists of them, signatures by a key of the user's own; and the command that boots what they are for."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import run_command
from hiperiso.errors import UsageError
from hiperlab.cli.image import obtain_image
from hiperlab.download.verify import (
    Digest,
    check_digest,
    check_signature,
    digest_in_list,
    parse_digest,
)
from integration.conftest import environment
from web_server import served

BODY = b"an image" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()
SHA512 = hashlib.sha512(BODY).hexdigest()


@pytest.mark.parametrize(
    ("text", "algorithm"),
    [
        (f"sha256:{SHA256}", "sha256"),
        (SHA256.upper(), "sha256"),
        (f"SHA-512={SHA512}", "sha512"),
        (SHA512, "sha512"),
    ],
)
def test_a_digest(text: str, algorithm: str, tmp_path: Path) -> None:
    digest = parse_digest(text)
    assert digest is not None and digest.algorithm == algorithm
    (tmp_path / "a.iso").write_bytes(BODY)
    check_digest(tmp_path / "a.iso", digest)
    (tmp_path / "a.iso").write_bytes(BODY + b"x")
    with pytest.raises(UsageError, match="is not the file that the checksum is for"):
        check_digest(tmp_path / "a.iso", digest)


@pytest.mark.parametrize(
    "text", ["md5:" + "0" * 32, "0" * 32, "sha1:" + "0" * 40, "sha256:" + "0" * 60, "sha9:" + "0" * 64]
)
def test_a_digest_that_proves_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_digest(text)


def test_a_list_is_no_digest() -> None:
    assert parse_digest("SHA256SUMS") is None
    assert parse_digest("https://example.org/SHA256SUMS") is None


@pytest.mark.parametrize(
    "line", [f"{SHA256}  a.iso", f"{SHA256} *./a.iso", f"SHA256 (a.iso) = {SHA256}", f"{SHA256}  dir/a.iso"]
)
def test_lists_of_checksums(line: str) -> None:
    other = f"{'0' * 64}  b.iso"
    assert digest_in_list(f"# c\n{other}\n{line}\n", "a.iso", where="x") == Digest("sha256", SHA256)
    with pytest.raises(UsageError, match=r"no digest of c\.iso"):
        digest_in_list(f"{other}\n{line}\n", "c.iso", where="SHA256SUMS")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_image_with_a_list_is_fetched_and_then_taken_from_the_cache(cache: Path) -> None:
    with served(a__iso=BODY, SHA256SUMS=f"{SHA256}  a.iso\n".encode()) as web:
        for _ in range(2):
            image = obtain_image(web.url("/a.iso"), web.url("/SHA256SUMS"), None, quiet=True)
            assert image.path.read_bytes() == BODY
            assert any(SHA256 in note for note in image.notes)
            assert any(web.url("/a.iso") in note for note in image.notes)
    assert [path for path, _ in web.asked].count("/a.iso") == 1


def test_a_damaged_image_is_refused_and_not_kept(cache: Path) -> None:
    with served(a__iso=b"other" * 100) as web:
        with pytest.raises(UsageError, match="is not the file"):
            obtain_image(web.url("/a.iso"), f"sha256:{SHA256}", None, quiet=True)
        assert not list(cache.rglob("a.iso"))
        web.files["/a.iso"] = BODY
        assert obtain_image(web.url("/a.iso"), f"sha256:{SHA256}", None, quiet=True).path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("checksum", "signature", "says"),
    [
        ("", None, "--checksum is empty"),
        (None, " ", "--signature is empty"),
        ("~no-such-user/SUMS", None, "--checksum: .*~no-such-user/SUMS is not there"),
        (None, ".", "--signature: .* is not a file"),
        ("x" * 300, None, "File name too long"),
        ("http://[", None, "is not a valid URL"),
    ],
)
def test_what_verifies_nothing_is_refused(
    cache: Path, tmp_path: Path, checksum: str | None, signature: str | None, says: str
) -> None:
    iso = tmp_path / "a.iso"
    iso.write_bytes(b"x")
    with pytest.raises(UsageError, match=says) as raised:
        obtain_image(str(iso), checksum, signature, quiet=True)
    assert ("sha256" in raised.value.hint) is ("not there" in says)


def test_an_address_that_nothing_protects_needs_a_checksum(cache: Path) -> None:
    with pytest.raises(UsageError, match="nothing verifies it"):
        obtain_image("http://example.invalid/a.iso", None, None, quiet=True)


def test_the_progress_is_printed_to_a_pipe(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served(a__iso=BODY) as web:
        obtain_image(web.url("/a.iso"), SHA256, None, quiet=False)
    assert "fetching a.iso: 0 of 0 MB" in capsys.readouterr().err


@pytest.fixture(scope="module")
def gnupg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A GnuPG home with a key; its agent ends with it."""
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    gpg(home, "--quick-gen-key", "--passphrase", "", "Demo <demo@example.org>", "ed25519", "sign", "never")
    yield home
    end_agents(home)


def gpg(home: Path, *words: str) -> None:
    argv = ["gpg", "--batch", "--yes", "--pinentry-mode", "loopback", "--homedir", str(home), *words]
    subprocess.run(argv, check=True, capture_output=True)


def end_agents(home: Path) -> None:
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


def test_signatures(gnupg: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, signature = tmp_path / "a.iso", tmp_path / "a.iso.sig"
    image.write_bytes(BODY)
    gpg(gnupg, "--detach-sign", "-o", str(signature), str(image))
    monkeypatch.setenv("GNUPGHOME", str(gnupg))
    assert "Demo <demo@example.org>" in check_signature(image, signature)
    image.write_bytes(BODY + b"x")
    with pytest.raises(UsageError, match="is not the signature of"):
        check_signature(image, signature)
    image.write_bytes(BODY)
    signature.write_bytes(b"nothing")
    with pytest.raises(
        UsageError, match=r"not a valid signature of a\.iso: gpg: no valid OpenPGP data found"
    ):
        check_signature(image, signature)
    with served(a__iso=BODY) as web, pytest.raises(UsageError, match="not a valid signature"):
        obtain_image(web.url("/a.iso"), None, str(signature), quiet=True)
    assert len(list((cache / "hiperiso/images").glob("*/a.iso"))) == 1  # the image is not to blame
    gpg(gnupg, "--detach-sign", "-o", str(signature), str(image))
    empty = tmp_path / "h"
    empty.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(empty))
    with pytest.raises(UsageError, match="not known to gpg"):
        check_signature(image, signature)
    end_agents(empty)


def test_a_signed_list(gnupg: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{SHA256}  a.iso\n")
    gpg(gnupg, "--detach-sign", "-o", f"{sums}.sign", str(sums))
    monkeypatch.setenv("GNUPGHOME", str(gnupg))
    with served(
        a__iso=BODY, SHA256SUMS=sums.read_bytes(), SUMS__sign=Path(f"{sums}.sign").read_bytes()
    ) as web:
        image = obtain_image(web.url("/a.iso"), web.url("/SHA256SUMS"), web.url("/SUMS.sign"), quiet=True)
    assert any("signed by Demo" in note for note in image.notes)


def test_the_command_refuses_before_it_fetches_and_verifies_before_it_boots(tmp_path: Path) -> None:
    with served(a__iso=BODY) as web:

        def boot(*words: str) -> subprocess.CompletedProcess[str]:
            cache = environment(XDG_CACHE_HOME=str(tmp_path / "cache"))
            return run_command("boot", web.url("/a.iso"), "--log-root", tmp_path / "logs", *words, env=cache)

        scheme = run_command("boot", "ftp://127.0.0.1/a.iso", env=environment(), cwd=tmp_path)
        assert scheme.returncode == 2 and "only http: and https: are fetched" in scheme.stderr
        wrong = boot("--firmware", "uef")
        assert wrong.returncode == 2 and web.asked == []
        other = boot("--checksum", "sha256:" + "0" * 64)
        assert other.returncode == 2
        assert "is not the file that the checksum is for" in other.stderr
    assert not (tmp_path / "logs").exists()
