"""Systems whose words no table was made for: what they have in common with known ones decides.

The texts are written for these tests, in the style of public boot logs.
"""

from __future__ import annotations

import pytest

from hiperiso.analysis.judge import Judge
from hiperiso.contract.words import FindingKind

from .test_kinds import INIT, KERNEL
from .test_kinds import judged as judged_lines


def judged(text: str) -> tuple[str, str, Judge]:
    """The result and the stage of a serial log; its last line is unfinished."""
    *lines, last = text.split("\n")
    judge, verdict = judged_lines(lines, partial=last)
    return verdict.result.value, verdict.stage.value, judge


@pytest.mark.parametrize(
    "words",
    [
        "init: cannot mount the live medium\nsh: can't access tty; job control turned off\n/ # ",
        "demo-init: FATAL: could not find the boot partition DEMO\n/ # ",
        "ERROR:  No /sbin/init found on rootdev (or not mounted).  Trouble ahead.\n/ # ",
        "Press Enter for emergency shell or wait 5 minutes for reboot.",
        "ERROR: demo_7.0.sfs not found\ndropping out to console\n# ",
        " Demo data not found\nType 'debug' to get a shell\n# ",
        "Boot failed!\nThis Demo live image failed to boot.\n",
    ],
)
def test_an_init_script_that_did_not_find_its_root_is_a_failure(words: str) -> None:
    assert judged(f"{KERNEL}\n{INIT}\n{words}")[:2] == ("failure", "initramfs")


def test_a_system_in_an_initramfs_that_ends_in_a_shell_is_none() -> None:
    assert judged(f"{KERNEL}\n{INIT}\nStarting network: OK\n/ # ")[:2] == ("success", "login")


def test_an_installer_that_gives_up_after_its_welcome_failed() -> None:
    text = f"{KERNEL}\n{INIT}\nWelcome to the Demo installer\nunable to continue (type exit or CTRL-D to reboot)\n/ # "
    assert judged(text)[0] == "failure"


@pytest.mark.parametrize(
    "text",
    [
        "NOTICE:  BL2: v2.8(release):v2.8\nERROR:   BL2: Failed to load image id 5 (-2)\nPANIC at PC : 0x0e0012f4",
        "coreboot-4.19 Tue Jan 17 ramstage starting...\nCBFS ERROR: 'fallback/payload' not found.\n",
        "ASSERT [DxeCore] /build/edk2/MdeModulePkg/Core/Dxe/Mem/Page.c(12): Entry != ((void *) 0)",
    ],
)
def test_firmware_that_stops_is_its_own_failure(text: str) -> None:
    assert judged(text)[:2] == ("failure", "firmware")


@pytest.mark.parametrize(
    "text",
    [
        "    GNU GRUB  version 0.97  (639K lower / 522176K upper memory)\nError 15: File not found\n",
        "GRUB Loading stage1.5.\nGRUB loading, please wait...\nError 17\n",
        "isolinux: Loading spec packet failed, trying to wing it...\n"
        "isolinux: Failed to locate CD-ROM device; boot failed.\n",
        "RedBoot(tm) bootstrap and debug environment [ROMRAM]\nRedBoot> ",
        "barebox 2023.01.0 #1\nboot: No such file or directory\nbarebox@Demo Board:/ ",
    ],
)
def test_old_boot_loaders_that_stop(text: str) -> None:
    assert judged(text)[:2] == ("failure", "bootloader")


@pytest.mark.parametrize("follows", [False, True])
def test_a_kernel_that_waits_for_its_root_for_ever(follows: bool) -> None:
    text = f"{KERNEL}\n[    2.0] Waiting for root device /dev/mmcblk0p2...\n"
    if follows:
        text += "[    2.4] mmc0: new high speed SDHC card at address 0001\n[    3.0] Run /sbin/init as init process\n"
        text += "Welcome to Demo Linux 1!\n\ndemo login: "
    result, _, judge = judged(text)
    assert result == ("success" if follows else "failure")
    assert judge.book.has(FindingKind.ROOT_NOT_FOUND)


@pytest.mark.parametrize("more", ["net1: started\nNo more network devices\n", ""])
def test_a_network_boot_that_found_nothing(more: str) -> None:
    text = (
        "iPXE 1.21.1 -- Open Source Network Boot Firmware\n"
        f"http://198.51.100.1/boot.ipxe... Not found (https://ipxe.org/2d0c618e)\n{more}"
    )
    assert judged(text)[0] == "failure"


def test_one_that_goes_on_after_an_error_did_not_fail() -> None:
    text = (
        "iPXE 1.21.1 -- Open Source Network Boot Firmware\n"
        "Configuring (net0 52:54:00:12:34:56)... No configuration methods succeeded (https://ipxe.org/040ee119)\n"
        f"net1: ok\n{KERNEL}\n{INIT}\nWelcome to Demo Linux 1!\ndemo login: "
    )
    assert judged(text)[:2] == ("success", "login")
