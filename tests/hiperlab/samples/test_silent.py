"""The rule that makes silent twins, on the recipes of the catalogue and on texts."""

from __future__ import annotations

import re

import pytest

from hiperlab.initramfs.content import BootchainInitramfs, Squashfs
from hiperlab.samples import find_sample, list_samples, list_twins
from hiperlab.samples.model import Initramfs, Loader, Recipe, Sample
from hiperlab.samples.silent import silent_recipe


def texts(sample: Sample) -> list[str]:
    found = []
    for content in sample.recipe.files.values():
        system = content.system if isinstance(content, Squashfs) else content
        if isinstance(content, str):
            found.append(content)
        elif isinstance(system, Initramfs):
            found += system.files.values()
        elif isinstance(content, BootchainInitramfs):
            found += content.spec.settings.values()
    return found


@pytest.mark.parametrize("twin", list_twins(), ids=lambda twin: twin.name)
def test_no_twin_names_a_serial_port(twin: Sample) -> None:
    original = find_sample(twin.name.removesuffix("-silent"))
    assert any(re.search(r"ttyS|\bserial\b|SERIAL", text) for text in texts(original))
    assert not any(re.search(r"ttyS|\bserial\b|SERIAL|console=", text) for text in texts(twin))
    assert (twin.outcomes, twin.serial_silent) == (original.outcomes, True)


def test_every_sample_is_silent_or_has_a_silent_version() -> None:
    names = {sample.name for sample in (*list_samples(), *list_twins())}
    for sample in list_samples():
        assert sample.serial_silent or f"{sample.name}-silent" in names


def test_what_is_not_a_serial_console_stays() -> None:
    cfg = (
        "set timeout=1\nterminal_output gfxterm\nserial --unit=0\nmenuentry 'a serial killer' {\n"
        "  linux /vmlinuz root=/dev/sr0 console=tty0 console=ttyS0,115200n8 quiet netconsole=x consoleblank=0\n}\n"
    )
    recipe = Recipe(Loader.GRUB, {"boot/grub/grub.cfg": cfg, "image": b"console=ttyS0"})
    assert silent_recipe(recipe, "splash").files == {
        "boot/grub/grub.cfg": (
            "set timeout=1\nterminal_output gfxterm\nmenuentry 'a serial killer' {\n"
            "  linux /vmlinuz root=/dev/sr0 quiet netconsole=x consoleblank=0 splash\n}\n"
        ),
        "image": b"console=ttyS0",
    }
