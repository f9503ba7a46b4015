"""Kinds of trouble as the world prints them, each at the start of a line, behind a prompt, behind a collector's
prefix, and on the screen.

The texts are written for these tests, after the formats of the programs that print them; ``demo`` stands for every
name that differs from machine to machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.verdict import Verdict, verdict_of
from hiperiso.contract.eventdata import ConsoleData, LineData
from hiperiso.contract.events import ScreenText, SerialLine
from hiperiso.contract.words import FindingKind, LineForm

KERNEL = "[    0.000000] Linux version 6.1.0-demo (demo@demo) (gcc 12)"
INIT = "[    1.000000] Run /init as init process"
WELCOME = "Welcome to Demo Linux 1!"
GRUB = "GNU GRUB  version 2.06"


def judged(lines: Sequence[str], *, partial: str = "") -> tuple[Judge, Verdict]:
    """Judge lines of a serial log, the last of which may be unfinished."""
    judge = Judge()
    rows = [(LineForm.LINE, line) for line in lines] + ([(LineForm.PARTIAL, partial)] if partial else [])
    for number, (form, text) in enumerate(rows):
        data = LineData(file="serial.log", line=number + 1)
        judge.feed(SerialLine(n=number, t=0.0, form=form, text=text, data=data))
    return judge, verdict_of(judge)


def read(lines: Sequence[str]) -> tuple[Judge, Verdict]:
    """Judge lines; a prompt at their end is unfinished."""
    unfinished = lines[-1].endswith(("# ", "> ", ": ", "OK "))
    return judged(lines[:-1], partial=lines[-1]) if unfinished else judged(lines)


def shown(lines: Sequence[str]) -> tuple[Judge, Verdict]:
    """Judge the same as a screen that shows one line after another."""
    judge = Judge()
    for number in range(len(lines)):
        text = "\n".join(lines[max(0, number - 20) : number + 1])
        judge.feed(ScreenText(n=number, t=number / 10, text=text, data=ConsoleData(cols=400)))
    return judge, verdict_of(judge)


@dataclass(frozen=True)
class Kind:
    """A boot that ends in a certain way: the lines before, the line that decides, what it must come to."""

    before: tuple[str, ...]
    line: str
    result: str
    stage: str
    domain: str = ""
    finding: str = ""
    cause: str = ""
    kernel: bool = False  # a kernel message: any prefix of a kernel may stand before it

    def check(self, judge: Judge, verdict: Verdict) -> None:
        assert (verdict.result.value, verdict.stage.value) == (self.result, self.stage), verdict
        assert not self.domain or verdict.domain.value == self.domain, verdict
        assert self.cause in verdict.cause
        assert not self.finding or judge.book.has(FindingKind[self.finding.upper()]), judge.findings


def panic(words: str, domain: str = "kernel", stage: str = "kernel") -> Kind:
    return Kind((KERNEL,), words, "failure", stage, domain, "kernel_panic", kernel=True)


def trouble(finding: str, words: str) -> Kind:
    return Kind((KERNEL,), words, "incomplete", "kernel", "", finding, kernel=True)


PANICS = [
    panic("Kernel panic - not syncing: Fatal exception"),
    panic("Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"),
    panic("Kernel panic: No init found.  Try passing init= option to kernel."),
    panic("---[ end Kernel panic - not syncing: Fatal exception ]---"),
    panic("Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000b00", "userspace"),
    panic("Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: demo+0x1/0x2"),
]

TROUBLES = [
    trouble("oops", "general protection fault: 0000 [#1] SMP"),
    trouble(
        "oops", "general protection fault, probably for non-canonical address 0xdead: 0000 [#1] PREEMPT SMP"
    ),
    trouble("oops", "divide error: 0000 [#1] SMP"),
    trouble("oops", "invalid opcode: 0000 [#2] SMP"),
    trouble("oops", "stack segment: 0000 [#1] SMP"),
    trouble("oops", "Oops [#1]"),
    trouble("oops", "Oops: 0000 [#1] SMP"),
    trouble("oops", "Oops: Kernel access of bad area, sig: 11 [#1]"),
    trouble("oops", "Internal error: Oops: 17 [#1] SMP ARM"),
    trouble("oops", "Internal error: Oops - undefined instruction: 0 [#1] ARM"),
    trouble("oops", "specification exception: 0006 ilc:3 [#1] SMP"),
    trouble("oops", "PANIC: double fault, error_code: 0x0"),
    trouble("oops", "SError Interrupt on CPU1, code 0xbf000000 -- SError"),
    trouble("oops", "Unhandled fault: imprecise external abort (0x1406) at 0x0001c8c4"),
    trouble("oops", "Unable to handle kernel paging request at virtual address dead000000000100"),
    trouble(
        "oops", "Unable to handle kernel access to user memory without uaccess routines at 0000000000000000"
    ),
    trouble("oops", "Unable to handle kernel pointer dereference in virtual kernel address space"),
    trouble("kernel_bug", "BUG: KASAN: use-after-free in demo_read+0x1/0x2"),
    trouble("kernel_bug", "BUG: KCSAN: data-race in demo / demo"),
    trouble("kernel_bug", "BUG: KMSAN: uninit-value in demo+0x1/0x2"),
    trouble("kernel_bug", "BUG kmalloc-64 (Not tainted): Redzone overwritten"),
    trouble("kernel_bug", "BUG: scheduling while atomic: swapper/0/0/0x00000002"),
    trouble("kernel_bug", "kernel BUG at mm/demo.c:12!"),
    trouble("kernel_warning", "WARNING: fs/demo.c:12 at demo+0x1/0x2, CPU#1: x/1"),
    trouble("kernel_warning", "WARNING: at demo.c:12 demo+0x1/0x2()"),
    trouble("kernel_warning", "WARNING: CPU: 1 PID: 12 at fs/demo.c:12 demo+0x1/0x2"),
    trouble("kernel_warning", "UBSAN: array-index-out-of-bounds in fs/demo.c:12:3"),
    trouble("lock_warning", "WARNING: possible circular locking dependency detected"),
    trouble("lock_warning", "[ INFO: possible recursive locking detected ]"),
    trouble("lock_warning", "WARNING: suspicious RCU usage"),
    trouble("lock_warning", "WARNING: bad unlock balance detected!"),
    trouble("lock_warning", "INFO: trying to register non-static key."),
    trouble("memory_leak", "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)"),
    trouble("hung_task", "INFO: task demo:12 blocked in I/O wait for more than 143 seconds."),
    trouble("rcu_stall", "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"),
    trouble("lockup", "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [demo:12]"),
    trouble("memory_short", "demo: page allocation failure: order:5, mode:0xcc0(GFP_KERNEL)"),
    trouble("memory_short", "demo invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0"),
    trouble("io_error", "BTRFS error (device vda1): bad tree block start, want 1 have 0"),
    trouble(
        "io_error",
        "EXT4-fs error (device vda1): ext4_find_entry:1455: inode #2: comm init: reading directory",
    ),
    trouble("ata_error", "ata2.00: exception Emask 0x10 SAct 0x0 SErr 0x4050002 action 0xe frozen"),
]

HARMLESS = [
    "ACPI BIOS Error (bug): Could not resolve symbol [\\_SB.DEMO], AE_NOT_FOUND (20220331/psargs-330)",
    "ACPI Error: Aborting method \\_SB.DEMO due to previous error (AE_NOT_FOUND)",
    "pcieport 0000:00:1c.0: AER: Corrected error received: 0000:00:1c.0",
    "pcieport 0000:00:1c.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)",
    "tpm tpm0: A TPM error (256) occurred attempting to read a pcr value",
    "INFO: lockdep is turned off.",
    "kmemleak: Kernel memory leak detector initialized (mem pool available: 15000)",
    "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible",
    "blk_update_request: I/O error, dev fd0, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0",
    "Buffer I/O error on dev mmcblk0rpmb, logical block 0, async page read",
    "rootfs image is not initramfs (no cpio magic); looks like an initrd",
    "wlan0: Failed to start AP functionality",
    "mce: CPU supports 10 MCE banks",
    "hest: [Hardware Error]: Corrected error, no action required.",
    "systemd-journald[123]: Failed to send WATCHDOG=1 notification message",
]

COLLECTORS = [
    "[  12s] ",
    "1704164645.123 ",
    "[10:00:01] ",
    "2024-01-02T03:04:05.1234567Z ",
    "2024-01-02 03:04:05 ",
    "Jan 02 10:00:00 demo kernel: ",
    "<6>",
    "ttyS0: ",
    "[Tue Jan  2 10:00:00 2024] ",
    "job\tstep\t2024-01-02T03:04:05.1234567Z ",
]

STAMPS = [
    "[   12.500000] ",
    "[   12.5] ",
    "[12345678.123456] ",
    "[  810.812345][  T123] ",
    "[    0.043841 ][    T0 ] ",
    "<3>[   12.500000] ",
    "** 12 printk messages dropped ** [   12.500000] ",
]

KERNEL_KINDS = PANICS + TROUBLES


@pytest.mark.parametrize("stamp", STAMPS)
@pytest.mark.parametrize("kind", KERNEL_KINDS[::3] + PANICS, ids=lambda kind: kind.line[:40])
def test_any_stamp(kind: Kind, stamp: str) -> None:
    kind.check(*judged([*kind.before, stamp + kind.line]))


@pytest.mark.parametrize("kind", KERNEL_KINDS, ids=lambda kind: kind.line[:40])
def test_at_the_start_of_a_line(kind: Kind) -> None:
    kind.check(*judged([*kind.before, "[   12.500000] " + kind.line]))


@pytest.mark.parametrize("kind", KERNEL_KINDS, ids=lambda kind: kind.line[:40])
def test_behind_a_prompt(kind: Kind) -> None:
    """A kernel message is no statement of the one who waits at the prompt: a panic there is a failure."""
    judge, verdict = judged([*kind.before, WELCOME, "demo login: [   12.5] " + kind.line])
    assert judge.book.has(FindingKind[kind.finding.upper()])
    assert (verdict.result.value == "failure") == (kind in PANICS)


@pytest.mark.parametrize("kind", KERNEL_KINDS, ids=lambda kind: kind.line[:40])
def test_two_messages_in_one_line(kind: Kind) -> None:
    kind.check(*judged([*kind.before, "[   12.400000] demo: x[   12.500000] " + kind.line]))


@pytest.mark.parametrize("collector", COLLECTORS)
@pytest.mark.parametrize("kind", KERNEL_KINDS[::4] + PANICS, ids=lambda kind: kind.line[:40])
def test_behind_a_collector(kind: Kind, collector: str) -> None:
    kind.check(
        *judged([*(collector + line for line in kind.before), f"{collector}[   12.500000] {kind.line}"])
    )


@pytest.mark.parametrize("kind", KERNEL_KINDS, ids=lambda kind: kind.line[:40])
def test_on_the_screen(kind: Kind) -> None:
    kind.check(*shown([*kind.before, "[   12.500000] " + kind.line]))


@pytest.mark.parametrize("line", HARMLESS, ids=lambda line: line[:40])
def test_noise_stays_harmless(line: str) -> None:
    judge, verdict = judged([KERNEL, "[   12.500000] " + line, WELCOME, "demo login: "])
    assert verdict.result.value == "success"
    assert [f for f in judge.findings if f.severity != "info"] == []


LOADERS = [
    Kind(("early console in setup code", "Invalid physical address chosen!"), " -- System halted", "failure", "kernel",
         "kernel"),
    Kind((), "ERROR:   BL2: Failed to load image id 3 (-2)", "failure", "firmware", "firmware"),
    Kind((), "E3404: Not a bootable device!", "failure", "firmware", "firmware", "no_bootable_device"),
    Kind((GRUB,), "error: ../../grub-core/fs/fshelp.c:257:file `/live/vmlinuz' not found.", "incomplete", "bootloader",
         "", "bootloader_file_missing", "/live/vmlinuz"),
    Kind((GRUB, "error: ../../grub-core/fs/fshelp.c:257:file `/live/vmlinuz' not found."),
         "error: ../../grub-core/loader/i386/efi/linux.c:258:you need to load the kernel first.", "failure",
         "bootloader", "bootloader", "bootloader_failed", "/live/vmlinuz"),
    Kind((GRUB,), "error: ../../grub-core/script/function.c:119:can't find command `linuxefi'.", "incomplete",
         "bootloader", "", "bootloader_error"),
    Kind((GRUB,), "error: symbol `grub_demo' not found.", "incomplete", "bootloader", "", "bootloader_error"),
    Kind((GRUB,), "error: no server is specified.", "incomplete", "bootloader", "", "bootloader_error"),
    Kind((GRUB,), "error: ../../grub-core/kern/mm.c:376:out of memory.", "incomplete", "bootloader", "",
         "bootloader_error"),
    Kind((GRUB,), "error: invalid arch-independent ELF magic.", "incomplete", "bootloader", "", "bootloader_error"),
    Kind((GRUB,), "alloc magic is broken at 0x7f123450: 0", "failure", "bootloader", "bootloader"),
    Kind(("error: unknown filesystem.", "Entering rescue mode..."), "grub rescue> ls", "failure", "bootloader",
         "bootloader", "bootloader_prompt", "unknown filesystem"),
    Kind((), "grub> ", "failure", "bootloader", "bootloader", "bootloader_prompt"),
    Kind((), r"Error loading \EFI\Linux\demo.efi: Not found", "failure", "bootloader", "bootloader", "",
         "demo.efi"),
    Kind((), "Verifying shim SBAT data failed: Security Policy Violation", "failure", "bootloader", "bootloader",
         "secure_boot_violation"),
    Kind(("iPXE initialising devices...ok",), "Could not boot image: Exec format error (https://ipxe.org/2e008081)",
         "failure", "bootloader", "bootloader", "no_network_boot", "Exec format error"),
    Kind((), "    Status: 0xc000000f", "failure", "bootloader", "bootloader", "", "0xc000000f"),
    Kind(("Windows Boot Manager",), "BOOTMGR is missing", "failure", "bootloader", "bootloader"),
    Kind(("FreeBSD/x86 bootstrap loader, Revision 1.1", "can't load 'kernel'"), "OK ", "failure", "bootloader",
         "bootloader", "bootloader_prompt"),
    Kind(("ISOLINUX 6.04 20191223 Copyright (C) 1994-2015 H. Peter Anvin et al",),
         "Could not find ramdisk image: /live/initrd.img", "failure", "bootloader", "bootloader", "",
         "/live/initrd.img"),
    Kind(("U-Boot 2024.01 (Jan 01 2024 - 10:00:00 +0000)",), "Bad Linux ARM64 Image magic!", "failure", "bootloader",
         "bootloader"),
    Kind(("U-Boot 2024.01 (Jan 01 2024 - 10:00:00 +0000)",), "Wrong Image Format for bootm command", "failure",
         "bootloader", "bootloader"),
    Kind(("Limine 7.0.5",), "PANIC: linux: Failed to open kernel with path `boot():/vmlinuz`. Is the path correct?",
         "failure", "bootloader", "bootloader", "", "vmlinuz"),
    Kind(("coreboot-4.19 Mon Jan  1 10:00:00 UTC 2024 x86_32 bootblock starting (log level: 7)...",),
         "No bootable kernel found on disk.", "failure", "bootloader", "bootloader"),
    Kind((), "BdsDxe: No bootable option or device was found.", "failure", "firmware", "firmware"),
    Kind((GRUB,), 'Command line: "wimboot"', "incomplete", "bootloader"),
    Kind(("Read start4.elf bytes        0 hnd 0x0",), "Failed to read start4.elf", "failure", "firmware", "firmware",
         "", "start4.elf"),
    Kind(("I/TC: OP-TEE version: 3.20.0",), "E/TC:0 0 Panic at core/kernel/panic.c:12 <demo>", "failure", "firmware",
         "firmware"),
    Kind((), "No operating system was loaded. Your virtual machine may be configured incorrectly.", "failure",
         "firmware", "firmware", "no_bootable_device"),
    Kind((), "Error loading operating system", "failure", "bootloader", "bootloader"),
    Kind((), "OCB: StartImage failed - Aborted", "failure", "bootloader", "bootloader"),
    Kind(("Consoles: userboot", "FreeBSD/amd64 User boot lua, Revision 1.2"), "OK ", "failure", "bootloader",
         "bootloader", "bootloader_prompt"),
    Kind((), "zfsbootmenu # ", "failure", "bootloader", "bootloader", "bootloader_prompt"),
]  # fmt: skip

INITRAMFS = [
    Kind((KERNEL, INIT, "switch_root: can't execute '/sbin/init': No such file or directory"), "/ # ", "failure",
         "initramfs", "userspace", "root_not_found"),
    Kind((KERNEL, INIT, "No root device found, starting a shell"), "# ", "failure", "initramfs", "userspace",
         "root_not_found"),
    Kind((KERNEL, INIT, "FATAL: rootfs not found", "Spawning a shell"), "sh-5.2# ", "failure", "initramfs", "userspace",
         "root_not_found"),
    Kind((KERNEL, INIT, "mount of NFS root failed, starting a shell"), "/ # ", "failure", "initramfs", "userspace",
         "root_not_found"),
    Kind((KERNEL, INIT, "Failed to copy the live image to RAM"), "~ # ", "failure", "initramfs", "userspace",
         "root_not_found"),
    Kind((KERNEL, INIT, "Device /dev/sda2 is not a valid LUKS device."), "/ # ", "failure", "initramfs", "userspace",
         "root_not_found", "LUKS"),
    Kind((KERNEL, INIT, "Entering emergency mode"), "sh-5.2# ", "failure", "initramfs", "userspace", "emergency_shell"),
    Kind((KERNEL, INIT, "dracut: Refusing to continue"), "[    9.200000] reboot: System halted", "failure", "initramfs",
         "userspace"),
    Kind((KERNEL, INIT, "Demo can't find root; please report", "Fallback shell:"), "/ # ", "failure", "initramfs",
         "userspace", "emergency_shell"),
    Kind((KERNEL, INIT, "<<< NixOS Stage 1 >>>"),
         "Timed out waiting for device /dev/disk/by-label/demo, trying to mount anyway.", "failure", "initramfs",
         "userspace", "root_not_found", "by-label/demo"),
    Kind((KERNEL, INIT, "<<< NixOS Stage 1 >>>", "An error occurred in stage 1 of the boot process, which"),
         "i) to launch an interactive shell", "failure", "initramfs", "userspace", "emergency_shell"),
    Kind((KERNEL, INIT), "no device with valid ISO found, please check your installation medium", "failure",
         "initramfs", "userspace", "root_not_found"),
    Kind((KERNEL, INIT), "Unable to find a medium containing a live file system", "failure", "initramfs", "userspace"),
    Kind((KERNEL, INIT, "Fatal error occured - Could not locate demo data"),
         "Something went wrong and we can't continue. Please reboot your computer manually", "failure", "initramfs",
         "userspace"),
    Kind((KERNEL, INIT, ">> Determining root device (trying LABEL=demo) ..."),
         "!! Could not find the root block device in LABEL=demo.", "failure", "initramfs", "userspace", "",
         "LABEL=demo"),
    Kind((KERNEL, INIT, "mount: mounting /dev/sda1 on /sysroot failed: No such file or directory"),
         "initramfs emergency recovery shell launched. Type 'exit' to continue boot", "failure", "initramfs",
         "userspace", "emergency_shell"),
    Kind((KERNEL, INIT, "ERROR: '/dev/disk/by-label/DEMO' device did not show up after 30 seconds..."),
         "sh: can't access tty; job control turned off", "failure", "initramfs", "userspace", "", "DEMO"),
    Kind((KERNEL, INIT, "ERROR: '/dev/disk/by-label/DEMO' device did not show up after 30 seconds..."),
         "[rootfs /]# ", "failure", "initramfs", "userspace", "emergency_shell", "DEMO"),
    Kind((KERNEL, INIT, "dracut-initqueue[412]: Warning: dracut-initqueue: timeout, still waiting for following hooks:",
          "dracut-initqueue[412]: Warning: /dev/disk/by-label/DEMO does not exist"),
         "dracut:/# ls", "failure", "initramfs", "userspace", "emergency_shell"),
    Kind((KERNEL, INIT, "ALERT!  LABEL=demo does not exist.  Dropping to a shell!"), "(initramfs) ls", "failure",
         "initramfs", "userspace", "emergency_shell", "LABEL=demo"),
    Kind((KERNEL, INIT, "Failed to mount the live medium: no such device"), "/ # ls", "failure", "initramfs",
         "userspace", "emergency_shell"),
    Kind((KERNEL, INIT), "ignition[512]: Ignition failed: failed to fetch the config: not found", "failure",
         "initramfs", "userspace"),
    Kind((KERNEL, INIT), "[talos] boot sequence failed: error running phase 2", "failure", "initramfs", "userspace"),
    Kind((KERNEL, INIT, "[    6.000000] dracut: kiwi: Failed to mount live ISO device"), "reboot: System halted",
         "failure", "initramfs", "userspace", "root_not_found"),
    Kind((KERNEL, INIT, "Porteus data not found."), "Press Enter to start a debug shell", "failure", "initramfs",
         "userspace"),
]  # fmt: skip

USERSPACE = [
    Kind((KERNEL,), "init: Failed to mount required partitions early ...", "failure", "userspace", "userspace"),
    Kind((), "console:/ $ ", "success", "login"),
    Kind((), "(base) root@demo:~# uname -a", "success", "login"),
    Kind((), "demo@localhost:~> ls", "success", "login"),
    Kind((), "demo ~ # uname -a", "success", "login"),
    Kind((), "└─# uname -a", "success", "login"),
    Kind((KERNEL, WELCOME), "demo login: root", "success", "login"),
    Kind((KERNEL, WELCOME, "(none) login:"), "root@demo:~# uname -a", "success", "login"),
    Kind((), "localhost:~# lscpu", "success", "login"),
    Kind((), "localhost:~ # zypper --version", "success", "login"),
    Kind((KERNEL,), "/ # ls", "success", "login"),
    Kind((KERNEL,), "sh-5.2# cat /proc/cmdline", "success", "login"),
    Kind((), "[demo@demo ~]$ cat /etc/os-release", "success", "login"),
    Kind((), "demo login: root (automatic login)", "success", "login"),
    Kind((KERNEL, "[    1.000000] Run /sbin/init as init process"), "[    1.500000] random: demo", "incomplete",
         "userspace"),
    Kind((KERNEL, INIT, WELCOME), "[!!!!!!] Failed to mount API filesystems.", "failure", "userspace", "userspace",
         "init_crashed"),
    Kind((KERNEL, INIT, WELCOME), "systemd[1]: Freezing execution.", "failure", "userspace", "userspace"),
    Kind((KERNEL, INIT, WELCOME), "INIT: PANIC: segmentation violation! sleeping for 30 seconds.", "failure",
         "userspace", "userspace"),
    Kind((KERNEL, INIT, WELCOME, "You are in emergency mode. After logging in, type"),
         "Give root password for maintenance", "failure", "userspace", "userspace"),
    Kind((KERNEL, "[    1.000000] Run /sbin/init as init process", "Fatal glibc error: CPU does not support x86-64-v3"),
         "[    2.000000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00", "failure",
         "userspace", "", "", "CPU does not support x86-64-v3"),
]  # fmt: skip

INSTALLERS = [
    Kind((KERNEL, INIT, "[!!] Detect and mount installation media"), "Your installation media couldn't be mounted.",
         "failure", "installer", "userspace", "installer_failed"),
    Kind((KERNEL, INIT), "Installation aborted - unable to continue (type exit or CTRL-D to reboot)", "failure",
         "userspace", "userspace", "installer_failed"),
    Kind((KERNEL, INIT, "[!!] Select a language"), "No device for installation media was detected.", "failure",
         "installer", "userspace", "installer_failed"),
    Kind((KERNEL, WELCOME, "Starting installer, one moment...", "1) Start VNC"), "An unknown error has occurred",
         "failure", "installer", "userspace", "installer_failed"),
    Kind((KERNEL, WELCOME), "An error occurred. Press enter to start a shell", "failure", "userspace", "userspace",
         "installer_failed"),
    Kind((KERNEL, WELCOME, "Starting installer, one moment..."), "Traceback (most recent call last):", "failure",
         "userspace", "userspace", "installer_failed"),
    Kind((KERNEL, WELCOME, "calamares[812]: Calamares version: 3.2.61"), "Calamares Initialization Failed", "failure",
         "installer", "userspace", "installer_failed"),
    Kind((KERNEL, INIT, "linuxrc 7.0"), "No repository found.", "failure", "userspace", "userspace",
         "installer_failed"),
    Kind((KERNEL, WELCOME, "archinstall version 2.7.0"), "Archinstall experienced the above error.", "failure",
         "userspace", "userspace", "installer_failed"),
    Kind((KERNEL, INIT), "[?] Configure the keyboard", "success", "installer"),
    Kind((KERNEL, INIT), "Enter system hostname (fully qualified form, e.g. 'foo.example.org') [localhost] ", "success",
         "installer"),
]  # fmt: skip

SYSTEMS = [
    Kind(("FreeBSD 14.0-RELEASE releng/14.0-n265380-demo GENERIC amd64",),
         "Enter full pathname of shell or RETURN for /bin/sh: ", "failure", "userspace", "userspace"),
    Kind((KERNEL, "[    3.000000] Internal error: Oops: 5 [#1] SMP ARM"),
         "[    4.000000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b", "failure", "kernel",
         "kernel", "oops"),
    Kind(("(XEN) Xen version 4.17.3 (demo@demo)",), "(XEN) Panic on CPU 0:", "failure", "kernel", "kernel"),
    Kind(("FreeBSD 14.0-RELEASE releng/14.0-n265380-demo GENERIC amd64",), "panic: vm_fault: demo", "failure",
         "kernel", "kernel"),
    Kind(("FreeBSD 14.0-RELEASE releng/14.0-n265380-demo GENERIC amd64",), "mountroot> ", "failure", "kernel"),
    Kind(("NetBSD 10.0 (GENERIC) #0: Thu Mar 28 08:33:33 UTC 2024",), "db{0}> ", "failure", "kernel", "kernel"),
    Kind(("OpenBSD 7.4 (GENERIC.MP) #1397: Tue Oct 10 09:02:37 MDT 2023",), "ddb{0}> trace", "failure", "kernel",
         "kernel"),
    Kind(("SunOS Release 5.11 Version demo 64-bit",), "panic[cpu0]/thread=fffffffffbc5a040: vfs_mountroot: cannot",
         "failure", "kernel", "kernel"),
    Kind(("SunOS Release 5.11 Version demo 64-bit",), "demo console login: ", "success", "login"),
    Kind(("Welcome to kernel debugger output!",), "PANIC: did not find any boot partitions!", "failure", "kernel",
         "kernel"),
    Kind(("FreeBSD 14.0-RELEASE releng/14.0-n265380-demo GENERIC amd64", "FreeBSD/amd64 (demo) (ttyu0)"), "login: root",
         "success", "login"),
]  # fmt: skip

SMALL_SYSTEMS = [
    Kind(("*** Booting Zephyr OS build v3.5.0 ***",), ">>> ZEPHYR FATAL ERROR 25: Unknown error on CPU 0", "failure",
         "kernel", "kernel", "kernel_panic"),
    Kind(("NuttShell (NSH) NuttX-12.4.0",), "nsh> ls", "success", "login"),
    Kind(("xv6 kernel is booting",), "panic: demo disk status unset", "failure", "kernel", "kernel", "kernel_panic"),
    Kind(("VMware ESXi 8.0.0 [Releasebuild-12345678 x86_64]",), "#PF Exception 14 in world 2097800:demo IP 0x41801a",
         "failure", "kernel", "kernel", "kernel_panic"),
    Kind(("Loading VMware ESXi",), "Fatal error: 33 (Inconsistent data)", "failure", "bootloader", "bootloader"),
    Kind(("Computer is booting, SAC started and initialized.",), "*** STOP: 0x0000007B (0xF78D2524,0xC0000034)",
         "failure", "kernel", "kernel", "stop_screen"),
    Kind(("Computer is booting, SAC started and initialized.", "SAC>"), "EVENT: The CMD command is now available.",
         "success", "login"),
]  # fmt: skip

STORIES = SMALL_SYSTEMS + LOADERS + INITRAMFS + USERSPACE + INSTALLERS + SYSTEMS


@pytest.mark.parametrize("kind", STORIES, ids=lambda kind: kind.line[:40])
def test_stories(kind: Kind) -> None:
    kind.check(*read([*kind.before, kind.line]))


@pytest.mark.parametrize("kind", STORIES, ids=lambda kind: kind.line[:40])
def test_stories_behind_a_collector(kind: Kind) -> None:
    kind.check(*read(["2024-01-02T03:04:05.123Z " + line for line in [*kind.before, kind.line]]))


@pytest.mark.parametrize("kind", STORIES, ids=lambda kind: kind.line[:40])
def test_stories_on_the_screen(kind: Kind) -> None:
    kind.check(*shown([*kind.before, kind.line]))


@pytest.mark.parametrize("kind", STORIES, ids=lambda kind: kind.line[:40])
def test_stories_behind_a_prompt(kind: Kind) -> None:
    """A kernel message that gets in between does not hide what a program prints in the next line."""
    lines = [*kind.before[:-1], *(line + "[    0.900000] demo: x" for line in kind.before[-1:]), kind.line]
    judge, verdict = read(lines)
    assert verdict.result.value == kind.result, judge.findings


WAITING_LOADERS = [
    Kind((GRUB, "error: file `/boot/vmlinuz-demo' not found."), "Press any key to continue...", "failure", "bootloader",
         "bootloader", "bootloader_file_missing", "vmlinuz-demo"),
    Kind((GRUB, "error: ../../grub-core/kern/mm.c:376:out of memory."), "Press any key to continue...", "failure",
         "bootloader", "bootloader", "bootloader_error", "out of memory"),
    Kind((GRUB, "error: file `/grub/fonts/demo.pf2' not found."), "Press any key to continue...", "incomplete",
         "bootloader"),
]  # fmt: skip


@pytest.mark.parametrize("kind", WAITING_LOADERS, ids=lambda kind: kind.before[-1][:40])
def test_a_loader_that_waits_for_a_key(kind: Kind) -> None:
    lines = [*kind.before, kind.line]
    for judge, verdict in (
        judged(lines),
        shown(lines),
        judged([f"2024-01-02T03:04:05Z {line}" for line in lines]),
    ):
        kind.check(judge, verdict)
    _, verdict = judged([*lines, KERNEL, INIT, WELCOME, "demo login: root"])
    assert verdict.result.value == "success"


def test_a_panic_before_a_boot_that_got_further() -> None:
    first = [KERNEL, INIT, "[    6.000000] Kernel panic - not syncing: Fatal exception"]
    judge, verdict = judged([*first, KERNEL, INIT, WELCOME, "demo login: root"])
    assert (verdict.result.value, judge.book.count(FindingKind.KERNEL_PANIC)) == ("success", 1)
    _, verdict = judged([*first, "U-Boot 2024.01 (Jan 01 2024)"])
    assert verdict.result.value == "failure"


def test_a_shell_that_prints_the_version_is_not_a_reset() -> None:
    version = "Linux version 6.1.0-demo (demo@demo) (gcc 12)"
    _, verdict = judged([KERNEL, WELCOME, "demo login: root", "root@demo:~# cat /proc/version", version])
    assert (verdict.result.value, verdict.stage.value) == ("success", "login")


def test_one_emergency_is_one_finding() -> None:
    lines = [KERNEL, INIT, "ALERT!  LABEL=demo does not exist.  Dropping to a shell!"]
    judge, _ = judged([*lines, "(initramfs) ", "(initramfs) ls", "(initramfs) "])
    assert judge.book.count(FindingKind.EMERGENCY_SHELL) == 1


@pytest.mark.parametrize(
    ("words", "prompt", "result"),
    [
        ("boot=casper quiet", "/ # ", "failure"),
        ("root=live:CDLABEL=demo rd.live.image", "sh-5.2# ", "failure"),
        ("archisobasedir=arch", "root@archiso ~ # ", "success"),
        ("rd.live.image rd.break", "sh-5.2# ", "success"),
        ("root=/dev/ram0", "/ # ", "success"),
    ],
)
def test_a_nameless_shell_is_no_login_of_a_live_system(words: str, prompt: str, result: str) -> None:
    """In whatever words its initramfs said what it missed."""
    line = f"[    0.000000] Kernel command line: console=ttyS0 {words}"
    _, verdict = judged([KERNEL, line, INIT, "Support introuvable"], partial=prompt)
    assert verdict.result.value == result, verdict.cause


def test_stamps_alone_are_a_kernel() -> None:
    _, verdict = judged(["[    1.234567] usb 1-1: new high-speed USB device"])
    assert verdict.stage.value == "kernel"
    _, verdict = judged(["[2.873679] DDR size is 32 MiB"])
    assert verdict.stage.value == "unknown"  # some firmware stamps its messages, too, but not as printk does
