"""Systems other than Linux: Xen, the BSDs, illumos, Haiku, ReactOS: their starts, panics, debuggers and logins.

Sources: the manuals ddb(4), panic(9), kmdb(1) and boot(8) of each system; Xen's and Haiku's documentation of their
debuggers.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Signature
from hiperiso.analysis.signatures.system_rows import started, stopped
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_BSD: Final = ("FreeBSD", "NetBSD", "OpenBSD", "DragonFly", "illumos", "Haiku", "ReactOS", "Xen", "xv6")


SIGNATURES: Final = (
    started(
        r"^(?:FreeBSD (?P<v>\d[\w.-]{0,30}) .{0,80}(?:GENERIC|amd64|arm64|riscv)"
        r"|Copyright \(c\) 1992-\d{4} The FreeBSD Project|---<<BOOT>>---)",
        ("FreeBSD ", "FreeBSD Project", "---<<BOOT>>---"),
        "FreeBSD 13.2-RELEASE releng/13.2-n254617-525ecfdad597 GENERIC amd64",
        unlike="FreeBSD is a registered trademark of The FreeBSD Foundation.",
        family="FreeBSD",
        software="FreeBSD {v}",
    ),
    started(
        r"^NetBSD (?P<v>\d[\w.]{0,20}) \(\w{1,40}\)",
        ("NetBSD ",),
        "NetBSD 10.0 (GENERIC) #0: Thu Mar 28 08:33:33 UTC 2024",
        unlike="Welcome to NetBSD!",
        family="NetBSD",
        software="NetBSD {v}",
    ),
    started(
        r"^OpenBSD (?P<v>\d[\w.-]{0,20}) \([\w.]{1,40}\) #\d",
        ("OpenBSD ",),
        "OpenBSD 7.4 (GENERIC.MP) #1397: Tue Oct 10 09:02:37 MDT 2023",
        unlike="Welcome to the OpenBSD/amd64 7.4 installation program.",
        family="OpenBSD",
        software="OpenBSD {v}",
    ),
    started(
        r"^DragonFly v(?P<v>\d[\w.-]{0,40})",
        ("DragonFly v",),
        "DragonFly v6.4.0-RELEASE #0: Fri Dec 30 2022",
        unlike="a DragonFly visits",
        family="DragonFly",
        software="DragonFly {v}",
    ),
    started(
        r"^(?:SunOS Release (?P<v>5\.\d{1,2}) Version|OpenIndiana |OmniOS )",
        ("SunOS Release", "OpenIndiana ", "OmniOS "),
        "SunOS Release 5.11 Version demo-12 64-bit",
        unlike="the release of SunOS",
        family="illumos",
        software="illumos {v}",
    ),
    started(
        r"^\(XEN\) (?:Xen version (?P<v>\d[\w.]{0,20})|\[ ?\d)",
        ("(XEN) Xen version", "(XEN) ["),
        "(XEN) Xen version 4.17.3 (demo@example.org)",
        unlike="(XEN) Brought up 2 CPUs",
        family="Xen",
        software="Xen {v}",
    ),
    started(
        r"^Welcome to kernel debugger output!|^Haiku revision: (?P<v>\w{1,40})",
        ("Welcome to kernel debugger output", "Haiku revision"),
        "Welcome to kernel debugger output!",
        unlike="Welcome to Kernel Debugging Land...",
        family="Haiku",
        software="Haiku {v}",
    ),
    started(
        r"^\(ntoskrnl/\S{1,80}\) |^ReactOS (?P<v>\d[\w.-]{1,30}) ",
        ("(ntoskrnl/", "ReactOS "),
        "ReactOS 0.4.15-dev (Build 20240101) (Commit demo)",
        unlike="welcome to ReactOS",
        family="ReactOS",
        software="ReactOS {v}",
    ),
    stopped(
        r"^panic(?:\[cpu\d{1,4}\]/thread=[0-9a-f]{1,16})?: ?(?P<why>.{0,200})",
        ("panic: ", "panic[cpu"),
        "panic: vm_fault_lookup: fault on nofault entry, addr: 0xfffffe0003f20000",
        "panic[cpu0]/thread=fffffffffbc5a040: vfs_mountroot: cannot mount root",
        unlike="do not panic: it is a test",
        summary="panic: {why}",
        requires=_BSD,  # a Go program that dies prints the same words
    ),
    stopped(
        r"^(?:Fatal trap \d{1,3}: .{1,80} while in kernel mode|KDB: enter: panic"
        r"|Stopped at {1,4}\S{1,60}\+0x|fatal (?:page fault|protection "
        r"fault|integer divide fault|breakpoint trap)\b.{0,60}(?:supervisor mode|kernel))",
        ("Fatal trap ", "KDB: enter: panic",   "Stopped at", "fatal page fault", "fatal protection fault",
         "fatal integer divide fault", "fatal breakpoint trap"),
        "Fatal trap 12: page fault while in kernel mode",
        "Stopped at  db_enter+0x14: popq %rbp",
        unlike="KDB: debugger backends: ddb",
        summary="the kernel stopped in its debugger: {0}",
        requires=_BSD,
    ),
    stopped(
        r"^(?:db|ddb)(?:\{\d{1,3}\})?> ?(?:$|[a-z]{1,10}\b)",
        ("db>", "db{", "ddb>", "ddb{"),
        "ddb{0}> trace",
        "db> ",
        unlike="see db> in the manual",
        summary="the kernel stopped in its debugger",
        requires=_BSD,
        effect=Effect.STUCK,  # its prompt is an unfinished line
    ),
    stopped(
        r"^\(XEN\) (?:Panic on CPU \d{1,4}:|.{0,60}FATAL (?:TRAP|PAGE FAULT)|Xen BUG at \S{1,60})",
        ("(XEN) Panic on CPU", "FATAL TRAP", "FATAL PAGE FAULT", "Xen BUG at"),
        "(XEN) Panic on CPU 0:",
        unlike="(XEN) Hardware Dom0 crashed: rebooting machine in 5 seconds.",
        summary="Xen stopped: {0}",
    ),
    stopped(
        r"^\(XEN\) Hardware Dom0 (?:crashed|halted)",
        ("Hardware Dom0",),
        "(XEN) Hardware Dom0 crashed: rebooting machine in 5 seconds.",
        unlike="(XEN) Dom0 has maximum 2 VCPUs",
        summary="Xen's first domain stopped: {0}",
    ),
    stopped(
        r"^(?:PANIC: |kdebug> |Welcome to Kernel Debugging Land)",
        ("PANIC: ", "kdebug> ", "Kernel Debugging Land"),
        "PANIC: did not find any boot partitions!",
        unlike="no PANIC: all is well",
        summary="the kernel stopped in its debugger: {0}",
        requires=("Haiku",),
        shares=(FindingKind.OOPS,),
    ),
    stopped(
        r"^(?:\*{3} Fatal System Error: 0x[0-9a-fA-F]{8}|kdb:> |Entered debugger on )",
        ("Fatal System Error", "kdb:>", "Entered debugger on"),
        "*** Fatal System Error: 0x0000007b",
        unlike="kdb: not compiled in",
        summary="the kernel stopped: {0}",
    ),
    Signature(
        pattern=r"^Enter full pathname of shell or RETURN for",
        literals=("Enter full pathname of shell",),
        examples=("Enter full pathname of shell or RETURN for /bin/sh: ",),
        unlike="the full pathname of a shell",
        stage=BootStage.USERSPACE,
        kind=FindingKind.EMERGENCY_SHELL,
        severity=Severity.FATAL,
        domain=FailureDomain.USERSPACE,
        summary="the system went to its single user mode, and asks a person",
        effect=Effect.STUCK,
        settle_s=2.0,
        reason=EndReason.STUCK,
    ),
    Signature(
        pattern=r"^(?:mountroot> ?|root device(?: \(default [^)]{1,20}\))?: ?$)",
        literals=("mountroot>", "root device"),
        examples=("mountroot> ",),
        unlike="root device: wd0",
        stage=BootStage.KERNEL,
        kind=FindingKind.EMERGENCY_SHELL,
        severity=Severity.FATAL,
        domain=FailureDomain.USERSPACE,
        summary="the kernel found no root, and asks a person",
        effect=Effect.STUCK,
        settle_s=2.0,
        reason=EndReason.STUCK,
    ),
    Signature(
        pattern=r"^(?:FreeBSD|NetBSD|OpenBSD|DragonFly)/\w{1,12} \([\w.-]{0,64}\) \(\w{1,12}\)",
        literals=("FreeBSD/", "NetBSD/", "OpenBSD/", "DragonFly/"),
        examples=("FreeBSD/amd64 (demo) (ttyu0)",),
        unlike="FreeBSD/amd64 is a platform",
        stage=BootStage.USERSPACE,
    ),
    Signature(
        pattern=r"\(I\)nstall, \(U\)pgrade, \(A\)utoinstall or \(S\)hell\?",
        literals=("(I)nstall, (U)pgrade",),
        examples=(
            "Welcome to the OpenBSD/amd64 installation program. (I)nstall, (U)pgrade, (A)utoinstall or (S)hell? ",
        ),
        unlike="the installer can install or upgrade",
        stage=BootStage.INSTALLER,
        kind=FindingKind.INSTALLER_SCREEN,
        summary="OpenBSD's installer waits for a person",
        software="OpenBSD installer",
        effect=Effect.WAITING,
        reason=EndReason.EXPECTED_STAGE,
    ),
)  # fmt: skip
