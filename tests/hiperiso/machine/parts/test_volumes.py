"""Volumes beside the medium: what is written, what QEMU is given, and what is refused."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from hiperiso.errors import UsageError
from hiperiso.images.answers import read_answers
from hiperiso.images.injection import Injection
from hiperiso.images.members import Member, MemberKind
from hiperiso.machine.part import Preparation
from hiperiso.machine.parts.volumes import Volumes


def test_the_answers_are_there_until_the_guest_has_ended(tmp_path: Path) -> None:
    source, image = tmp_path / "answers", tmp_path / "answers.img"
    source.write_text("text\n")
    members = (Member(name="a/b", data=b"injected"), Member(name="c", kind=MemberKind.LINK, data=b"none"))
    part = Volumes(
        directory=tmp_path,
        answers=read_answers(source),
        injection=Injection(archive=tmp_path / "a.tar", members=members),
        duds=(tmp_path / "a,b", tmp_path / "c"),
        persistence=tmp_path / "changes",
    )
    with ExitStack() as stack:
        part.prepare(Preparation(stack=stack))
        assert b"OEMDRV" in image.read_bytes()[:512]
        volume = (tmp_path / "injection.img").read_bytes()
        assert b"INJECTION" in volume[:512] and b"injected" in volume
    assert not image.exists() and not (tmp_path / "injection.img").exists()
    drives = [word for word in part.argv() if word.startswith("if=none")]
    assert [("readonly=on" in drive) for drive in drives] == [True, True, True, True, False]
    assert "a,,b" in drives[2] and all("format=raw" in drive for drive in drives)
    assert len(part.notes()) == len(drives) + 1  # and the link


def test_relative_paths_are_refused() -> None:
    with pytest.raises(UsageError, match="absolute"):
        Volumes(directory=Path("/x"), duds=(Path("dud.img"),))
