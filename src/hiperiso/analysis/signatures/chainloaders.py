"""Boot loaders that come over the network or belong to another system: iPXE, wimboot, coreboot's payloads, those of
Windows and the BSDs.

Sources: recordings; the manuals of each; ipxe.org's list of errors; the loader(8) and boot(8) manuals.
"""

from __future__ import annotations

from typing import Final

from hiperiso import rows
from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.analysis.signatures.loader_rows import failed, seen
from hiperiso.contract.words import BootStage, FindingKind, Severity

_NETWORK: Final = (
    seen(
        r"\b[Ii]PXE (?:initialising devices|\d[\w.+-]{0,60} -- Open Source Network Boot|ISO boot image)",
        ("PXE initialising", "PXE ", "iPXE "),
        "iPXE initialising devices...ok",
        unlike="iPXE can be built from source",
        software="iPXE",
    ),
    seen(
        r"\biPXE (?P<v>\d[\w.+-]{0,60}) -- Open Source",
        ("iPXE ",),
        "iPXE 1.0.0+git-20190125.36a4c85-5.1 -- Open Source Network Boot Firmware -- http://ipxe.org",
        unlike="iPXE -- Open Source Network Boot Firmware",
        software="iPXE {v}",
        family="iPXE",
        shares=("stage",),
    ),
    failed(
        FindingKind.NO_NETWORK_BOOT,
        "iPXE found no network device to boot from",
        r"^No more network devices",
        ("No more network devices",),
        "No more network devices",
        unlike="No more network traffic",
        settle_s=4.0,
    ),
    failed(
        FindingKind.NO_NETWORK_BOOT,
        "the network boot failed: {0}",
        r"^(?:Could not (?:boot image|start download|boot): .{1,120}|Nothing to boot: .{1,80}"
        r"|Chainloading failed.{0,60}"
        r"|PXE-[ETM]\d{2}: .{1,80}|No bootable (?:file name|filename) .{0,40}|Boot selection failed)",
        ("Could not boot", "Could not start download", "Nothing to boot", "Chainloading failed", "PXE-E", "PXE-T",
         "PXE-M", "No bootable file name", "No bootable filename", "PXE-E53", "PXE-E61", "PXE-E51", "PXE-M0F",
         "PXE-E18", "PXE-E16", "PXE-E32", "PXE-T01", "PXE-E11", "PXE-E23", "PXE-E99", "Boot selection failed"),
        "Could not boot image: Exec format error (https://ipxe.org/2e008081)",
        "PXE-E53: No boot filename received",
        unlike="Could not boot in time, says the manual",
        settle_s=4.0,
    ),
    failed(
        FindingKind.NO_NETWORK_BOOT,
        "the network boot failed: {why}",
        # the next interface, or the next entry, may do better: only where nothing follows it counts
        r"^(?P<why>.{1,240}?) \(https?://ipxe\.org/[0-9a-f]{8}\)$",
        ("ipxe.org/",),
        "http://198.51.100.1/boot.ipxe... Not found (https://ipxe.org/2d0c618e)",
        "Configuring (net0 52:54:00:12:34:56)... No configuration methods succeeded (http://ipxe.org/040ee186)",
        unlike="see https://ipxe.org/err",
        severity=Severity.WARNING,
        shares=(FindingKind.NO_NETWORK_BOOT,),
        settle_s=20.0,
    ),
    failed(
        FindingKind.BOOTLOADER_PROMPT,
        "iPXE stopped at its prompt",
        r"^iPXE> ?(?:$|\w)",
        ("iPXE>",),
        "iPXE> ",
        "iPXE> autoboot",
        unlike="press Ctrl-B for the iPXE command line",
        settle_s=1.5,
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "wimboot stopped: {0}",
        r"^FATAL: (?:no bootmgr|could not .{1,60}|.{0,40}\bwim\b.{0,60}|no .{1,20}exe found).{0,40}",
        ("FATAL: ",),
        "FATAL: no bootmgr.exe found",
        unlike="FATAL: kernel too old",
    ),
)  # fmt: skip

_WINDOWS_BSD: Final = (
    seen(
        r"^\s{0,60}Windows Boot Manager$",
        ("Windows Boot Manager",),
        "                         Windows Boot Manager",
        unlike="Windows Boot Manager (on /dev/sda1)",
        software="Windows Boot Manager",
    ),
    Signature(
        pattern=rows.KEY_FOR_MEDIUM,
        literals=("Press any key to boot from",),
        examples=("Press any key to boot from CD or DVD.....",),
        unlike="Press any key to continue",
        stage=BootStage.BOOTLOADER,
        kind=FindingKind.WAITS_FOR_KEY,
        severity=Severity.WARNING,
        summary="the boot loader waits a few seconds for a key, and none is pressed",
        software="Windows Boot Manager",
        family="Windows Boot Manager",
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "the Windows Boot Manager could not start Windows",
        r"Windows failed to start\. A recent hardware or software"
        r" change|Your PC(?:/Device)? needs to be repaired|The boot configuration data .{1,60}is missing",
        ("Windows failed to start", "needs to be repaired", "The boot configuration data"),
        "Windows failed to start. A recent hardware or software change might be the cause.",
        unlike="Windows failed to copy a file",
        settle_s=0.7,
    ),
    failed(
        FindingKind.BOOTLOADER_ERROR,
        "the Windows Boot Manager stopped with {0}",
        r"\b(?:Status|Error code): 0xc0\d{2}[0-9a-fA-F]{4}\b",
        ("Status: 0xc0", "Error code: 0xc0", "Status: ", "Error code: "),
        "    Status: 0xc000000f",
        unlike="Status: 0x00000000",
    ),
    seen(
        r"Windows is loading files|^Starting Windows",
        ("Windows is loading files", "Starting Windows"),
        "Windows is loading files...",
        unlike="Windows loads its files",
        stage=BootStage.KERNEL,
        software="Windows",
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "{0}",
        r"BOOTMGR (?:is missing|is compressed|image is corrupt)|NTLDR is missing|^Operating System not found$"
        r"|^Missing operating system|^Invalid partition table",
        ("BOOTMGR ", "NTLDR is missing", "Operating System not found", "Missing operating system",
         "Invalid partition table"),
        "BOOTMGR is missing",
        "Missing operating system",
        unlike="BOOTMGR starts",
    ),
    seen(
        r"FreeBSD(?:/\w{1,10})? (?:EFI (?:boot|loader)|User boot|bootstrap loader|ZFS enabled bootstrap loader)"
        r"|^\W{0,4}Welcome to FreeBSD$|BTX loader \d|^>> FreeBSD EFI boot block|^>> (?:OpenBSD|NetBSD)/\S{1,12} BOOT",
        ("FreeBSD/", "FreeBSD EFI", "BTX loader", "Welcome to FreeBSD", "OpenBSD/", "NetBSD/", "FreeBSD ZFS",
         "FreeBSD bootstrap"),
        "FreeBSD/x86 bootstrap loader, Revision 1.1",
        ">> OpenBSD/amd64 BOOT 3.65",
        unlike="Welcome to FreeBSD!",
        software="FreeBSD loader",
    ),
    failed(
        FindingKind.BOOTLOADER_PROMPT,
        "the loader of FreeBSD found no kernel and waits at its prompt",
        r"^(?:can't load 'kernel'|Can't load kernel|OK (?:boot|ls|lsdev|show)|no bootable kernel)",
        ("can't load 'kernel'", "Can't load kernel", "OK boot", "OK ls", "OK lsdev", "OK show",
         "no bootable kernel"),
        "can't load 'kernel'",
        unlike="OK, go on",
        requires=("FreeBSD loader",),
    ),
    failed(
        FindingKind.BOOTLOADER_PROMPT,
        "the loader of FreeBSD waits at its prompt",
        r"^OK ?$",
        ("OK",),
        "OK ",
        unlike="OK, go on",
        on=On.PROMPT,
        requires=("FreeBSD loader",),
    ),
    failed(
        FindingKind.BOOTLOADER_FILE_MISSING,
        "the BSD boot blocks did not find {f}",
        r"^(?:open\S{0,20}: (?P<f>\S{1,40}): No such file|failed\(\d{1,3}\)\. will try (?P<g>/\S{1,40})"
        r"|BOOT: Failed to load (?P<h>\S{1,60})|boot: (?P<i>\S{1,40}): (?:No such file|not found))",
        ("No such file", "will try /", "BOOT: Failed to load", "not found"),
        "failed(2). will try /bsd",
        unlike="open the file first",
        requires=("FreeBSD loader",),
        effect=Effect.NONE,
        severity=Severity.ERROR,
    ),
    seen(
        r"^(?:coreboot-\S{1,80} .{0,60}(?:bootblock|romstage|ramstage|verstage) starting|Starting depthcharge on "
        r"|Exiting depthcharge with code \d)",
        ("bootblock starting", "romstage starting", "ramstage starting", "verstage starting",
         "Starting depthcharge", "Exiting depthcharge"),
        "coreboot-4.19 Mon Jan  1 10:00:00 UTC 2024 x86_32 bootblock starting (log level: 7)...",
        unlike="coreboot is free firmware",
        stage=BootStage.FIRMWARE,
        software="coreboot",
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "the boot loader of the Chromebook gave up: {0}",
        r"^(?:Kernel decompression failed|No bootable kernel found|VbSelectAndLoadKernel returned 0x[1-9a-f]\w{0,8}"
        r"|.{0,40}vboot: .{0,40}recovery reason: (?!0x0\b|0\b)\w{1,12}|Wipe (?:ramfs|payload) failed"
        r"|The kernel image is not valid|Failed to (?:load|find) (?:the )?(?:kernel|FIT image))",
        ("Kernel decompression failed", "No bootable kernel found", "VbSelectAndLoadKernel returned",
         "recovery reason", "kernel image is not valid", "Failed to load kernel", "Failed to load the kernel",
         "Failed to find FIT image", "Failed to find kernel", "Failed to find the kernel"),
        "No bootable kernel found on disk.",
        unlike="VbSelectAndLoadKernel returned 0x0",
    ),
)  # fmt: skip

SIGNATURES: Final = _NETWORK + _WINDOWS_BSD
