"""Boot loaders of boards and of UEFI: U-Boot, systemd-boot, shim, rEFInd, Limine.

Sources: recordings; the manuals of each; U-Boot's documentation of booti, bootm and distro boot.
"""

from __future__ import annotations

from typing import Final

from hiperiso import rows
from hiperiso.analysis.signature import Effect, On
from hiperiso.analysis.signatures.loader_rows import failed, seen
from hiperiso.contract.words import FindingKind, Severity

_UBOOT: Final = (
    seen(
        r"^U-Boot (?:SPL |TPL )?(?P<v>\d{4}\.\d{2}[\w.+~-]{0,60})",
        ("U-Boot ",),
        "U-Boot 2024.01-demo (Jan 01 2024 - 10:00:00 +0000)",
        "U-Boot SPL 2021.10 (Jan 01 2024 - 10:00:00 +0000)",
        unlike="U-Boot is a boot loader",
        software="U-Boot {v}",
        family="U-Boot",
    ),
    seen(
        r"^(?:Hit any key to stop autoboot|Press .{1,20} to (?:abort|stop) (?:autoboot|boot)|Starting kernel \.\.\."
        r"|Loading kernel from FIT|## (?:Booting|Loading|Executing|Flattened Device Tree) |Autoboot in \d"
        r"|Found U-Boot script |Scanning \w{1,20} \w{1,20}:\w{1,20}\.{3}|Retrieving file: |BOOTP broadcast \d"
        r"|Using \S{1,40} device$|Booting using the fdt blob|Moving Image from )",
        ("stop autoboot", "Starting kernel ...", "Loading kernel from FIT", "## Booting", "## Loading",
         "## Executing", "## Flattened", "Autoboot in ", "Found U-Boot script", "Scanning ", "Retrieving file: ",
         "BOOTP broadcast", "Using ", "Booting using the fdt", "Moving Image from", "to abort autoboot"),
        "Hit any key to stop autoboot:  2",
        "Starting kernel ...",
        "BOOTP broadcast 1",
        unlike="Scanning for viruses",
        software="U-Boot",
        family="U-Boot",
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "the boot loader could not start the kernel: {0}",
        r"^(?:Bad Linux (?:RISCV|ARM64|arm64|ARM|riscv) (?:zImage|Image) magic!|ERROR: can't get kernel image!"
        r"|Wrong Image (?:Format|Type) for \w{1,12} command|Could not find configuration node"
        r"|Bad (?:Magic Number|Header Checksum|Data CRC)|zimage: Bad magic!|FDT and ATAGS support not compiled in"
        r"|ERROR: (?:Did not find a cmdline Flattened Device Tree|image is not a fdt"
        r"|reserving fdt memory region failed)"
        r"|No valid device tree binary found|Unknown command '(?:booti|bootz|bootm|bootefi)'|"
        r"SCRIPT FAILED: continuing\.{3} ?$|SPL: failed to boot from all boot devices|### ERROR ### Please RESET)",
        ("Bad Linux ", "can't get kernel image", "Wrong Image ", "Could not find configuration node",
         "Bad Magic Number", "Bad Header Checksum", "Bad Data CRC", "zimage: Bad magic", "FDT and ATAGS",
         "cmdline Flattened Device Tree", "image is not a fdt", "No valid device tree", "Unknown command 'boot",
         "SCRIPT FAILED", "failed to boot from all boot devices", "### ERROR ###"),
        "Bad Linux ARM64 Image magic!",
        "Wrong Image Format for bootm command",
        "ERROR: can't get kernel image!",
        "SPL: failed to boot from all boot devices",
        unlike="Verifying Checksum ... OK",
    ),
    failed(
        FindingKind.BOOTLOADER_PROMPT,
        "the boot loader stopped at its prompt",
        r"^(?:=> ?|U-Boot ?> ?|[\w-]{2,20}(?:_c906)?# ?|[A-Z][\w-]{2,16} # ?)$",
        ("=>", "U-Boot>", "U-Boot >", "#", "# "),
        "=> ",
        "demo_c906# ",
        unlike="root@demo:~# ",
        on=On.PROMPT,
        requires=("U-Boot",),
        shares=(FindingKind.SHELL_PROMPT,),
    ),
    seen(
        r"^(?:barebox \d{4}\.\d{2}|RedBoot\(tm\) bootstrap|CFE version \d)",
        ("barebox ", "RedBoot(tm)", "CFE version"),
        "barebox 2023.01.0 #1 Mon Jan 2 10:00:00 UTC 2023",
        "CFE version 1.0.37 for DEMO",
        unlike="barebox is a boot loader",
        software="boot loader of the board",
    ),
    failed(
        FindingKind.BOOTLOADER_PROMPT,
        "the boot loader of the board stopped at its prompt",
        r"^(?:barebox@[\w .,-]{1,60}:/\S{0,40} ?|RedBoot> ?|CFE> ?)$",
        ("barebox@", "RedBoot>", "CFE>"),
        "RedBoot> ",
        "barebox@Demo Board:/ ",
        "CFE> ",
        unlike="the prompt RedBoot> is described below",
        on=On.PROMPT,
    ),
    failed(
        FindingKind.BOOTLOADER_FILE_MISSING,
        "the boot loader did not find {f}",
        r"^(?:\*\* )?(?:Unable to read file (?P<f>\S{1,120}?)(?: \*\*)?|Failed to load '(?P<g>[^']{1,120})'"
        r"|File not found (?P<h>\S{1,120}?)(?: \*\*)?)$",
        ("Unable to read file", "Failed to load '", "File not found "),
        "** Unable to read file demo.dtb **",
        unlike="Unable to read files of other users",
        severity=Severity.WARNING,  # a script tries one name after another
        effect=Effect.NONE,
    ),
)  # fmt: skip

_UEFI: Final = (
    seen(
        r"\bsystemd-boot (?P<v>\d[\w.~+-]{0,30})",
        ("systemd-boot",),
        "systemd-boot 252.39-1~deb12u2",
        unlike="Installing systemd-boot to the ESP",
        software="systemd-boot {v}",
        family="systemd-boot",
    ),
    seen(
        rows.SYSTEMD_BOOT_ENTRY,
        ("Reboot Into Firmware Interface",),
        "Reboot Into Firmware Interface",
        unlike="Reboot into the installed system",
        software="systemd-boot",
        family="systemd-boot",
    ),
    failed(
        FindingKind.BOOTLOADER_FILE_MISSING,
        "systemd-boot could not load {f}: {why}",
        r"^Error (?:loading|opening|preparing|reading) (?:EFI binary |initrd:? |file )?(?P<f>[\\/]?\S{1,160}?):"
        r" (?P<why>Not [Ff]ound|[A-Z][\w ]{2,40})$",
        ("Error loading ", "Error opening ", "Error preparing ", "Error reading "),
        r"Error loading \EFI\Linux\demo.efi: Not found",
        r"Error opening \loader\demo.conf: Device Error",
        unlike="Error loading the shared library libdemo.so: cannot open file",
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "systemd-boot could not start what it had loaded: {0}",
        r"^(?:Error (?:executing|starting|registering) .{1,80}: [A-Z][\w ]{2,40}|Failed to (?:execute|start) "
        r".{1,80}\(\\\S{1,80}\): [A-Z][\w ]{2,40}|No loader found\. Configuration files in \\loader\\entries)",
        ("Error executing", "Error starting", "Error registering", "No loader found", "Failed to execute ",
         "Failed to start "),
        r"No loader found. Configuration files in \loader\entries\*.conf are needed.",
        unlike="Error executing the hook: exit code 1",
    ),
    failed(
        FindingKind.SECURE_BOOT_VIOLATION,
        "Secure Boot: shim refused the boot loader or the kernel",
        r"^Secure Boot Violation|Verification failed: \(0x1A\) Security Violation"
        r"|Verifying shim SBAT data failed: Security Policy Violation|Something has gone seriously wrong: SBAT"
        r"|^(?:Import_mok_state|import_mok_state)\(\) failed|bad shim signature",
        ("Secure Boot Violation", "Verification failed: (0x1A)", "shim SBAT data failed", "seriously wrong: SBAT",
         "mok_state() failed", "bad shim signature"),
        "Verification failed: (0x1A) Security Violation",
        "Verifying shim SBAT data failed: Security Policy Violation",
        unlike="Secure Boot is enabled",
    ),
    failed(
        FindingKind.BOOTLOADER_FILE_MISSING,
        "shim could not load {f}: {why}",
        r"^Failed to (?:open|load image|read) (?P<f>\\\S{1,120}|image)(?: - |: )(?P<why>[A-Z][\w ]{2,40})",
        ("Failed to open ", "Failed to load image", "Failed to read "),
        r"Failed to open \EFI\BOOT\grubx64.efi - Not Found",
        unlike="Failed to open the door",
        severity=Severity.ERROR,
        effect=Effect.NONE,
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "shim found no boot loader to start: {0}",
        r"^start_image\(\) returned (?P<why>[A-Z][\w ]{2,40})",
        ("start_image() returned",),
        "start_image() returned Not Found",
        unlike="start_image() called",
    ),
    seen(
        r"\brEFInd (?:version |- (?:Boot|Booting) |\d)|^refind_linux",
        ("rEFInd ",),
        "rEFInd - Booting OS",
        unlike="rEFInd can be installed later",
        software="rEFInd",
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "rEFInd: {0}",
        r"^(?:(?:Invalid loader file!|Error: Load Error while loading|Error: Not Found (?:returned from"
        r"|while loading))"
        r".{0,100}|Starting \S{1,80}\.efi Using load options .{0,80}(?:Not Found|Load Error))",
        ("Invalid loader file!", "while loading", "Not Found returned from"),
        "Error: Not Found while loading vmlinuz-demo",
        unlike="no error while loading the theme",
    ),
    seen(
        rows.LIMINE_TITLE,
        ("Limine ",),
        "Limine 7.0.5",
        unlike="Limine is a boot loader",
        software="Limine {v}",
        family="Limine",
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "Limine stopped: {why}",
        r"^(?:\W{0,12})(?:PANIC: (?P<why>.{1,120})|\[config file not found\])",
        ("PANIC: ", "config file not found"),
        "PANIC: linux: Failed to open kernel with path `boot():/vmlinuz`. Is the path correct?",
        unlike="no PANIC: here",
        requires=("Limine",),
        shares=(FindingKind.KERNEL_PANIC, FindingKind.OOPS),
    ),
)  # fmt: skip

SIGNATURES: Final = _UBOOT + _UEFI
