"""Firmware and first stages of boards and of other virtual machines, and the boot sectors of old systems.

Sources: the documentation of Raspberry Pi's boot process, OP-TEE, Rockchip's and Amlogic's loaders, Xilinx's first
stage, LiteX; the manuals of Hyper-V, VirtualBox and VMware; the texts in the boot sectors of FreeBSD and of DOS.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signatures.loader_rows import failed, seen
from hiperiso.contract.words import BootStage, FailureDomain, FindingKind

_FW: Final = BootStage.FIRMWARE
_DOMAIN: Final = FailureDomain.FIRMWARE
_PI: Final = "Raspberry Pi firmware"

_SEEN: Final = (
    seen(
        r"^OpenSBI v(?P<v>\d[\w.-]{0,20})",
        ("OpenSBI v",),
        "OpenSBI v1.2",
        unlike="OpenSBI versions are listed below",
        stage=_FW,
        software="OpenSBI {v}",
    ),
    seen(
        r"^(?:\s{0,8}\d{1,4}\.\d{2} )?(?:RPi: BOOTSYS |Boot mode: \S{1,20} \(\w{2}\) order "
        r"|Read start\w{0,4}\.elf bytes |MESS:\d{2}:\d{2}:\d{2}\.\d{6}:\d|USB-MSD \[\d{2}:\d{2}:\d{2}\]: )",
        ("RPi: BOOTSYS", "Boot mode: ", "elf bytes", "MESS:", "USB-MSD ["),
        "RPi: BOOTSYS release VERSION:0a1b DATE: 2024/01/01 TIME: 10:00:00",
        "Boot mode: SD (01) order f4",
        "MESS:00:00:01.123456:0: brfs: File read: /demo/config.txt",
        unlike="Boot mode: legacy",
        stage=_FW,
        software=_PI,
    ),
    seen(
        r"^(?:(?:(?:G12[AB]|SM1|SC2|GX[LM]|AXG|TXL|A1|C1|T7|S4):)?BL:[0-9a-f]{6}:[0-9a-f]{6};FEAT:|bl2_stage_init 0x"
        r"|BL2 Built : |(?:HELLO! )?BOOT0 is starting!|DDR Version V?\d\.\d{2}\b"
        r"|Xilinx (?:Zynq MP |Versal )?First Stage Boot Loader|[IDFE]/TC:(?:\d{1,2}(?: \d{1,6})?)? \S"
        r"|BIOS CRC passed \([0-9a-f]{8}\))",
        ("FEAT:", "bl2_stage_init", "BL2 Built", "BOOT0 is starting", "DDR Version", "First Stage Boot Loader",
         "I/TC:", "D/TC:", "F/TC:", "E/TC:", "BIOS CRC passed"),
        "G12A:BL:0253b8:61aa2d;FEAT:E0F83180:2000;POC:F;RCY:0;",
        "DDR Version V1.20",
        "HELLO! BOOT0 is starting!",
        "I/TC: OP-TEE version: 3.20.0",
        "BIOS CRC passed (0a1b2c3d)",
        unlike="DDR Versions are listed below",
        stage=_FW,
        software="first stage of the board",
    ),
    seen(
        r"^(?:Hyper-V UEFI\b|EFI VMware Virtual |VMware EFI|VirtualBox (?:EFI|temporary boot device)|PhoenixBIOS \d"
        r"|American Megatrends|AMIBIOS|Award Modular BIOS|Intel\(R\) Boot Agent )",
        ("Hyper-V UEFI", "EFI VMware Virtual", "VMware EFI", "VirtualBox EFI", "VirtualBox temporary", "PhoenixBIOS ",
         "American Megatrends", "AMIBIOS", "Award Modular BIOS", "Boot Agent"),
        "EFI VMware Virtual SATA CDROM Drive (0.0)... unsuccessful.",
        unlike="a VMware Virtual disk",
        stage=_FW,
        software="firmware of the machine",
    ),
)  # fmt: skip

_NOTHING_BOOTS: Final = (
    failed(
        FindingKind.NO_BOOTABLE_DEVICE,
        "the firmware of the Raspberry Pi found nothing to start: {0}",
        r"^(?:\s{0,8}\d{1,4}\.\d{2} )?(?:Failed to read start\w{0,4}\.elf|Firmware not found$)",
        ("Failed to read ", "Firmware not found"),
        "Failed to read start4.elf",
        "Firmware not found",
        unlike="Firmware not found for wlan0",
        requires=(_PI,),
        stage=_FW,
        domain=_DOMAIN,
        shares=(FindingKind.BOOTLOADER_FILE_MISSING,),
    ),
    failed(
        FindingKind.NO_BOOTABLE_DEVICE,
        "the firmware found nothing to boot: {0}",
        r"^(?:No operating system was loaded\. .{0,60}|FATAL: (?:No bootable medium found|Could not read from the "
        r"boot medium)!|FATAL: INT18: BOOT FAILURE|\s{0,8}No compatible bootloader found\.?"
        r"|No boot medium found$|No bootable media found\b.{0,40})",
        ("No operating system was loaded", "No bootable medium found", "from the boot medium", "INT18: BOOT FAILURE",
         "No compatible bootloader", "No boot medium found", "No bootable media found"),
        "No operating system was loaded. Your virtual machine may be configured incorrectly.",
        "FATAL: No bootable medium found! System halted.",
        "  No compatible bootloader found.",
        "No boot medium found",
        unlike="No boot medium found in the list",
        stage=_FW,
        domain=_DOMAIN,
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "{0}",
        r"^(?:Error loading operating system$|Non-System disk or disk error|A disk read error occurred$"
        r"|Invalid system disk$|No active partition(?: found)?[.!]?$|Disk I/O error$|Boot error$|boot[012]: error$)",
        ("Error loading operating system", "Non-System disk", "A disk read error", "Invalid system disk",
         "No active partition", "Disk I/O error", "Boot error", ": error"),
        "Error loading operating system",
        "Non-System disk or disk error",
        "boot1: error",
        unlike="No active partition is needed",
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "OpenCore stopped: {0}",
        r"^(?:OC[A-Z]{0,3}: (?:StartImage failed|Failed to (?:start|load) image) - .{1,60}|Halting on critical error$)",
        ("OCB: ", "OC: ", "Halting on critical error"),
        "OCB: StartImage failed - Aborted",
        "Halting on critical error",
        unlike="OCB: StartImage called",
    ),
    failed(
        FindingKind.BOOTLOADER_PROMPT,
        "ZFSBootMenu found nothing to boot and stopped at its shell",
        r"^(?:zfsbootmenu[^#>\n]{0,60}[#>] ?(?:$|\w)|Could not import any pools$)",
        ("zfsbootmenu", "Could not import any pools"),
        "zfsbootmenu # ",
        "Could not import any pools",
        unlike="zfsbootmenu is a boot loader",
    ),
)  # fmt: skip

_STOPPED: Final = (
    failed(
        FindingKind.FIRMWARE_EXCEPTION,
        "the firmware stopped: {0}",
        r"^(?:[EF]/TC:.{0,20} Panic (?:'.{1,60}' )?at .{1,80}|FSBL (?:Status|Error Status) = 0x\w{1,8}"
        r"|Fsbl Error Status: 0x\w{1,8}|\W{0,8}(?:Fatal: )?(?:all )?(?:LP)?DDR\d? ?(?:init|initialization|training"
        r"|calibration)\w{0,4} (?:has )?fail(?:ed|ure).{0,40})",
        (" Panic ", "FSBL Status", "FSBL Error Status", "Fsbl Error Status", "DDR"),
        "E/TC:0 0 Panic at core/kernel/panic.c:12 <demo>",
        "FSBL Status = 0xA011",
        "Fatal: all DDR training failed",
        unlike="DDR training passed, no failure",
        stage=_FW,
        domain=_DOMAIN,
    ),
)  # fmt: skip

SIGNATURES: Final = _SEEN + _NOTHING_BOOTS + _STOPPED
