"""pipe-verify-sign with real keys: gpgv and openssl."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from .places import Chain, run, squashfs, tree
from .servers import Site, http


@dataclass
class Signer:
    """Somebody with a key: ``keys`` is what belongs into the initramfs."""

    kind: str
    place: Path
    home: Path  # short: gpg puts a socket into it

    @property
    def keys(self) -> Path:
        return self.place / "keys"

    @property
    def suffix(self) -> str:
        return ".asc" if self.kind == "gpg" else ".sig"

    def make_key(self) -> None:
        self.keys.mkdir(parents=True)
        if self.kind == "gpg":
            self.gpg("--passphrase", "", "--quick-gen-key", "builder@example.org", "ed25519", "sign", "never")
            self.gpg("--export", "-o", self.keys / "builder.gpg")
            run("gpgconf", "--homedir", self.home, "--kill", "all")
        else:
            run("openssl", "genrsa", "-out", self.place / "key", "2048")
            run("openssl", "rsa", "-in", self.place / "key", "-pubout", "-out", self.keys / "builder.pem")

    def gpg(self, *words: str | Path) -> None:
        run("gpg", "--homedir", self.home, "--batch", "--yes", "--quiet", *words)

    def sign(self, path: Path) -> Path:
        signature = path.with_name(path.name + self.suffix)
        if self.kind == "gpg":
            self.gpg("--armor", "--detach-sign", "-o", signature, path)
            run("gpgconf", "--homedir", self.home, "--kill", "all")
        else:
            run("openssl", "dgst", "-sha256", "-sign", self.place / "key", "-out", signature, path)
        return signature


@pytest.fixture(scope="module", params=["gpg", "openssl"])
def signers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Signer]]:
    """Two with a key of the same kind."""
    with ExitStack() as stack:
        made = []
        for name in ("signer", "stranger"):
            home = Path(stack.enter_context(TemporaryDirectory(prefix="gpg")))
            made.append(Signer(str(request.param), tmp_path_factory.mktemp(name), home))
            made[-1].make_key()
        yield made


@pytest.fixture
def signer(signers: list[Signer]) -> Signer:
    return signers[0]


@pytest.fixture
def trusting(each_shell: Chain, signer: Signer) -> Chain:
    """A chain whose initramfs has the key."""
    each_shell.environment["BC_KEYDIR"] = str(signer.keys)
    return each_shell


def image(chain: Chain, name: str = "a.sqfs") -> Path:
    return squashfs(chain.place / name, {"sbin/init": "stage 2"})


START = "root=bootchain bootchain=noretry,mountfs,rootfs pipe-verify-sign=overlayfs,mountfs"


def test_a_signed_image_is_mounted(trusting: Chain, signer: Signer) -> None:
    path = image(trusting)
    signature = signer.sign(path)
    trusting.after = "cat sbin/init >../out"
    ended = trusting.run(f"{START} mountfs={path}")
    assert (ended.code, trusting.out()) == (0, "stage 2"), ended.log
    assert f"{path}: good signature by a key in {signer.keys}/builder" in ended.log
    signature.rename(signature.with_suffix(".gone"))
    ended = trusting.run(f"{START} mountfs={path}")
    assert ended.code == 1
    assert f"no signature of {path}: neither {path}.sig nor {path}.asc is there" in ended.log


def test_a_changed_image_is_refused(trusting: Chain, signer: Signer) -> None:
    path = image(trusting)
    signer.sign(path)
    with path.open("ab") as file:
        file.write(b"\0")
    ended = trusting.run(f"{START} mountfs={path}")
    assert ended.code == 1
    assert f"bad signature of {path}" in ended.log
    assert "is mounted" not in ended.log


def test_a_stranger_and_an_empty_keyring(trusting: Chain, signers: list[Signer], tmp_path: Path) -> None:
    path = image(trusting)
    signers[1].sign(path)
    ended = trusting.run(f"{START} mountfs={path}")
    assert ended.code == 1 and "is by none of the keys" in ended.log
    trusting.environment["BC_KEYDIR"] = str(tmp_path / "nothing")
    ended = trusting.run(f"{START} mountfs={path}")
    assert ended.code == 1 and f"no keys in {tmp_path}/nothing" in ended.log


def test_only_the_steps_in_the_list_are_checked(trusting: Chain) -> None:
    path = image(trusting)
    ended = trusting.run(
        f"root=bootchain bootchain=noretry,mountfs,rootfs pipe-verify-sign=getimage mountfs={path}"
    )
    assert ended.code == 0, ended.log
    ended = trusting.run(
        f"root=bootchain bootchain=noretry,mountfs,rootfs mountfs={path} "
        "pipe-verify-sign=getimage pipe-verify-sign=mountfs"
    )
    assert ended.code == 1


def test_a_medium_may_carry_signed_images_and_nothing_else(trusting: Chain, signer: Signer) -> None:
    medium = tree(trusting.place / "medium", {"root/sbin/init": "evil"})
    signer.sign(image(trusting, "medium/rescue"))
    trusting.after = "cat sbin/init >../out"
    chain = "root=bootchain pipe-verify-sign=mountfs,overlayfs bootchain=noretry,"
    ended = trusting.run(f"{chain}mountfs,mountfs,overlayfs,rootfs mountfs={medium} mountfs=rescue")
    assert (ended.code, trusting.out()) == (0, "stage 2"), ended.log
    for rest in (
        "mountfs,rootfs",
        "mountfs,mountfs,rootfs mountfs={} mountfs=root",
        "mountfs,overlayfs,rootfs",
        "mountfs,mountfs,overlayfs,rootfs mountfs={} mountfs=rescue overlayfs=pipe1,pipe0/root",
    ):
        parameters = rest.format(medium) if "{}" in rest else f"{rest} mountfs={medium}"
        ended = trusting.run(f"{chain}{parameters}")
        assert ended.code == 1, ended.log
        assert "signatures are asked for, and" in ended.log


def test_layers_are_checked_too(trusting: Chain, signer: Signer) -> None:
    medium = tree(trusting.place / "medium", {"x": ""})
    one, two = image(trusting, "medium/one"), image(trusting, "medium/two")
    signer.sign(one)
    chain = f"root=bootchain pipe-verify-sign=overlayfs bootchain=noretry,mountfs,overlayfs,rootfs mountfs={medium}"
    ended = trusting.run(f"{chain} overlayfs=one,two")
    assert ended.code == 1 and "no signature of" in ended.log
    signer.sign(two)
    ended = trusting.run(f"{chain} overlayfs=one,two")
    assert ended.code == 0, ended.log


def test_a_signature_is_fetched_with_its_image(trusting: Chain, signer: Signer) -> None:
    path = image(trusting)
    signature = signer.sign(path)
    trusting.after = "cat sbin/init >../out"
    chain = "root=bootchain pipe-verify-sign=getimage bootchain=noretry,getimage,rootfs"
    files = {"/a.sqfs": path.read_bytes(), f"/a.sqfs{signer.suffix}": signature.read_bytes()}
    with http(Site(files)) as site:
        ended = trusting.run(f"{chain} getimage={site.url}/a.sqfs?token=1")
        assert (ended.code, trusting.out()) == (0, "stage 2"), ended.log
        site.files["/a.sqfs"] += b"\0"
        ended = trusting.run(f"{chain} getimage={site.url}/a.sqfs")
        assert ended.code == 1 and "is not trusted" in ended.log
        del site.files[f"/a.sqfs{signer.suffix}"]
        ended = trusting.run(f"{chain} getimage={site.url}/a.sqfs")
        assert ended.code == 1 and "the server has neither .sig nor .asc of it" in ended.log
