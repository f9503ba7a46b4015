"""The assembler of the stand-ins, against the one of the system."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hiperlab.samples.standin import FREEBSD, LIMINE, WINDOWS, StandIn, assembled


def test_labels_are_addresses_and_distances() -> None:
    code = assembled("eb >end =end 90 # a comment\n:end 74 <end")
    assert code.hex() == "eb" + "0300" + "0606" + "90" + "74" + "fe"


@pytest.mark.parametrize("stand_in", [LIMINE, FREEBSD, WINDOWS])
def test_a_boot_sector_is_one_sector_of_a_cd_with_its_screen(stand_in: StandIn) -> None:
    sector = stand_in.boot_sector()
    assert len(sector) == 2048
    assert "\r\n".join(stand_in.screen).encode("cp437") in sector


def test_a_screen_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 2048"):
        StandIn(("x" * 3000,)).boot_sector()


def test_the_program_is_what_a_disassembler_reads(tmp_path: Path) -> None:
    (tmp_path / "sector").write_bytes(LIMINE.boot_sector())
    argv = ["objdump", "-D", "-b", "binary", "-m", "i8086", "--adjust-vma=0x7c00", str(tmp_path / "sector")]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    commands = [line.split("\t")[-1].split() for line in lines if line.count("\t") >= 2][:50]
    order = [words[0] + " " + "".join(words[1:]) for words in commands]
    for instruction in ("cli", "rep movsw", "int $0x16", "int $0x13", "ljmp $0x0,$0x7c00"):
        wanted = instruction.replace(" ", "")
        assert any(wanted in line.replace(" ", "") for line in order), (instruction, order)
