"""The Linux kernel in trouble: bugs, oopses, warnings, locks, hangs, memory; of old and new kernels, of all machines.

Sources: recordings; the message formats of lib/bug.c, kernel/locking/lockdep.c, kernel/rcu, mm, lib/ubsan.c,
mm/kasan and arch/*/kernel/traps.c and mm/fault.c; the kernel's admin guide ("Bug hunting", "Tainted kernels").

A row with ``origin=Origin.KERNEL`` counts behind a time stamp alone; others are plain enough without one.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Origin, Signature
from hiperiso.contract.words import BootStage, FailureDomain, FindingKind, Severity


def _trouble(
    kind: FindingKind,
    severity: Severity,
    summary: str,
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    shares: tuple[FindingKind | str, ...] = (),
    origin: Origin = Origin.ANY,
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        example=examples[0],
        more=examples[1:],
        unlike=unlike,
        shares=shares,
        origin=origin,
        stage=BootStage.KERNEL,
        kind=kind,
        severity=severity,
        domain=FailureDomain.KERNEL,
        summary=summary,
    )


STOPPED_IN: Final = "the kernel stopped in {0}"
"""The summary where only the registers of a crash are seen."""

_BUGS: Final = (
    _trouble(
        FindingKind.KERNEL_BUG,
        Severity.ERROR,
        "{0}",
        r"^(?:BUG: (?!soft lockup)(?P<what>.{1,120})|kernel BUG at (?P<where>\S{1,100})|\[ BUG: .{1,80}? \]"
        r"|BUG [\w-]{1,60} ?(?:\([^)]{1,60}\))? ?: .{1,80})",
        ("BUG: ", "kernel BUG at ", "BUG "),
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "kernel BUG at fs/demo.c:12!",
        "[ BUG: Invalid wait context ]",
        "BUG kmalloc-64 (Not tainted): Poison overwritten",
        unlike="DEBUG: nothing to see",
    ),
    _trouble(
        FindingKind.KERNEL_BUG,
        Severity.ERROR,
        "{0}",
        r"(?<![A-Z])BUG: (?:unable to handle |K[A-Z]SAN: |KFENCE: |kernel NULL |sleeping function"
        r"|scheduling while atomic"
        r"|workqueue lockup|spinlock |Bad (?:page|rss|rss-counter) |using (?:smp|__this_cpu)).{0,80}",
        ("BUG: unable to handle", "BUG: KASAN", "BUG: KMSAN", "BUG: KCSAN", "BUG: KFENCE", "BUG: kernel NULL",
         "BUG: sleeping function", "BUG: scheduling while atomic", "BUG: workqueue lockup", "BUG: spinlock",
         "BUG: Bad ", "BUG: using "),
        "demo: start the testBUG: unable to handle page fault for address: ffffffffc0de0000",
        "x1 BUG: KASAN: slab-out-of-bounds in demo_read+0x1/0x2",
        unlike="CONFIG_KASAN: yes, BUG: none",
    ),
    _trouble(
        FindingKind.OOPS,
        Severity.ERROR,
        "kernel oops: {0}",
        # whatever the machine calls it: the number of the oops in brackets is the kernel's alone
        r"(?:\b[A-Z]?[a-z][\w ,./()-][^\[\]]{0,160}|^Oops(?: - [\w ]{1,40})? )"
        r"\[#\d{1,4}\](?: |$)|^Kernel bug detected\[#\d{1,4}\]:",
        ("[#",),
        "Oops: 0002 [#1] PREEMPT SMP NOPTI",
        "general protection fault: 0000 [#1] SMP",
        "divide error: 0000 [#1] PREEMPT SMP",
        "Internal error: synchronous external abort: 96000010 [#1] PREEMPT SMP",
        "Oops [#1]",
        "illegal operation: 0001 ilc:1 [#1] SMP",
        "Kernel bug detected[#1]:",
        "Oops: Kernel access of bad area, sig: 11 [#1]",
        unlike="fixed in [#12]: the list of oopses",
    ),
    _trouble(
        FindingKind.OOPS,
        Severity.ERROR,
        "kernel oops: {0}",
        r"^(?:traps: )?(?:general protection fault(?:, |:|$)|double fault: |PANIC: double fault|Oops: |Oops - "
        r"|Internal error: |Unhandled fault: |Unhandled prefetch abort: |Bad mode in .{1,40} handler"
        r"|SError Interrupt on CPU ?\d|(?:CPU \d{1,4} )?Unable to handle kernel .{1,80}|Unexpected kernel "
        r"|kernel tried to execute NX-protected page|Kernel attempted to (?:read|write|execute|access) user page"
        r"|Kernel stack overflow|kernel stack overflow|Insufficient stack space to handle exception"
        r"|unhandled (?:level \d )?(?:kernel )?(?:fault|abort)|CFI failure |Machine check in kernel mode"
        r"|Stack-protector: |stack-protector: )(?!.{0,160}\[#\d).{0,80}",
        ("general protection fault", "double fault", "Oops: ", "Oops - ", "Internal error: ", "Unhandled fault: ",
         "Unhandled prefetch abort", "Bad mode in", "SError Interrupt on CPU", "Unable to handle kernel",
         "Unexpected kernel", "NX-protected page", "Kernel attempted to", "ernel stack overflow",
         "Insufficient stack space", "unhandled level", "unhandled fault", "CFI failure", "Machine check in kernel",
         "tack-protector: "),
        "PANIC: double fault, error_code: 0x0",
        "SError Interrupt on CPU1, code 0xbf000002 -- SError",
        "Unhandled fault: external abort on non-linefetch (0x1008) at 0xb6f2c000",
        "Unable to handle kernel NULL pointer dereference at virtual address 00000008",
        "CPU 1 Unable to handle kernel paging request at virtual address 0000000000000000, era == 9000000000223344",
        "CFI failure at demo_run+0x1/0x2 (target: other+0x0/0x1; expected type: 0x12345678)",
        unlike="demo[12]: Internal error: no such file",
        origin=Origin.ANY,
    ),
    _trouble(
        FindingKind.OOPS,
        Severity.ERROR,
        STOPPED_IN,
        r"^(?:EIP|NIP|PC is at|pc :|PC:|epc ?:|EIP is at|RIP: 0010:|RIP:)(?: \[?<?[0-9a-f]{8,16}>?\]?)?:? ?"
        r"(?:0010:)?[\w.]{1,80}\+0x[0-9a-f]{1,8}/0x[0-9a-f]{1,8}",
        ("EIP: ", "EIP is at", "NIP ", "PC is at", "pc : ", "PC: ", "epc : ", "RIP: "),
        "EIP: demo_read+0x59/0xb0",
        "RIP: 0010:demo_read+0x1/0x2",
        "PC is at demo_probe+0x10/0x24",
        "pc : demo_probe+0x10/0x24",
        unlike="RIP: 0033:0x7f1234567890",
        origin=Origin.KERNEL,
    ),
    _trouble(
        FindingKind.KERNEL_TRACE,
        Severity.WARNING,
        "the kernel printed a trace of its calls",
        r"^(?:Call [Tt]race:|Modules linked in:|[Bb]acktrace: ?$|Backtrace for cpu)"
        r"|^-{3}\[ end trace ",
        ("Call Trace:", "Call trace:", "Modules linked in:", "Backtrace:", "backtrace:", "Backtrace for cpu",
         "[ end trace "),
        "Call Trace:",
        "---[ end trace 0000000000000000 ]---",
        unlike="Call Trace: see the manual".replace("Call Trace:", "A call trace:"),
        origin=Origin.KERNEL,
    ),
    _trouble(
        FindingKind.KERNEL_BUG,
        Severity.ERROR,
        "memory of the kernel is damaged: {0}",
        r"\b(?:list_(?:add|del) (?:double|corruption)|refcount_t: .{1,60}|usercopy: Kernel memory (?:exposure|over"
        r"write) attempt|detected buffer overflow in \w{1,60}|ODEBUG: \w{1,20} active|kobject_add_internal failed"
        r"|VFS: (?:Close: file count is|Busy inodes after unmount|brelse: ).{0,60}|FAULT_FLAG_ALLOW_RETRY missing"
        r"|bad gfp|Object already free)",
        ("list_add ", "list_del ", "refcount_t: ", "usercopy: ", "detected buffer overflow", "ODEBUG: ",
         "kobject_add_internal failed", "VFS: Close", "VFS: Busy inodes", "VFS: brelse",
         "FAULT_FLAG_ALLOW_RETRY missing", "bad gfp"),
        "list_del corruption. prev->next should be ffff8880, but was 0000",
        "refcount_t: underflow; use-after-free.",
        "VFS: Busy inodes after unmount of sda1. Self-destruct in 5 seconds.",
        unlike="ODEBUG: Out of memory. ODEBUG disabled",
    ),
)  # fmt: skip

_WARNINGS: Final = (
    _trouble(
        FindingKind.KERNEL_WARNING,
        Severity.WARNING,
        "kernel warning at {w}",
        r"^WARNING: (?:CPU: \d{1,4} PID: \d{1,8} )?(?:at )?(?P<w>[\w./+-]{1,80}\.[chS]:\d{1,6})\b",
        ("WARNING: ",),
        "WARNING: CPU: 0 PID: 1 at drivers/gpu/drm/drm_file.c:123 drm_open+0x1/0x2 [drm]",
        "WARNING: fs/demo.c:12 at demo+0x1/0x2, CPU#1: x/1",
        "WARNING: at demo.c:12 demo+0x1/0x2()",
        unlike="demo.c:12: WARNING: unused variable",
    ),
    _trouble(
        FindingKind.KERNEL_WARNING,
        Severity.WARNING,
        "kernel warning: {0}",
        # what is only a notice to the administrator says so
        r"^WARNING: (?!(?!CPU: )[\w-]{1,30}: |[`'\"])(?!.{0,200}(?:deprecat|will stop working|support|experimental"
        r"|recommend|mount option|incomplete|insecure))"
        r"(?!(?:CPU: \d{1,4} PID: \d{1,8} )?(?:at )?[\w./+-]{1,80}\.[chS]:\d)(?!possible |inconsistent "
        r"|suspicious |bad unlock"
        r"|HARDIRQ|SOFTIRQ|RECLAIM_FS|lock held|held lock).{1,80}",
        ("WARNING: ",),
        "WARNING: kernel stack regs at ffff8880 in demo:12 has bad 'bp' value ffff8881",
        "WARNING: CPU: 1 PID: 12 at 0xffffffff81000000",
        origin=Origin.KERNEL,
        unlike="WARNING: the demo mount option is being deprecated",
    ),
    _trouble(
        FindingKind.KERNEL_WARNING,
        Severity.WARNING,
        "undefined behaviour: {w}",
        r"^UBSAN: (?P<w>.{1,120})",
        ("UBSAN: ",),
        "UBSAN: shift-out-of-bounds in kernel/demo.c:12:3",
        unlike="config: UBSAN: no",
    ),
    _trouble(
        FindingKind.LOCK_WARNING,
        Severity.WARNING,
        "the kernel's lock checker: {w}",
        r"^(?:\[ )?(?:WARNING|INFO|BUG): (?P<w>possible (?:circular|recursive|irq|unsafe|deadlock)\b.{1,80}"
        r"|inconsistent lock state|suspicious RCU usage|bad unlock balance detected.{0,4}"
        r"|bad contention detected.{0,4}"
        r"|Nested lock was not taken|lock held .{1,60}|held lock freed.{0,4}|Invalid wait context"
        r"|(?:HARDIRQ|SOFTIRQ|RECLAIM_FS)-\w{1,8} -> .{1,60}|trying to register non-static key"
        r"|[\w/.:-]{1,60} still has locks held.{0,4}|suspicious \w{1,20} usage|lock held at task exit time.{0,4}"
        r"|key .{1,40} not in \.data|chain_key collision)",
        ("possible circular", "possible recursive", "possible irq", "possible unsafe", "possible deadlock",
         "inconsistent lock state", "suspicious ", "bad unlock balance", "bad contention", "Nested lock",
         "lock held ", "held lock freed", "Invalid wait context", "HARDIRQ-", "SOFTIRQ-", "RECLAIM_FS-",
         "non-static key", "still has locks held", "not in .data", "chain_key collision"),
        "WARNING: possible circular locking dependency detected",
        "[ INFO: suspicious RCU usage. ]",
        "INFO: trying to register non-static key.",
        "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected",
        "WARNING: bad unlock balance detected!",
        unlike="INFO: lockdep is turned off.",
        shares=(FindingKind.KERNEL_BUG,),
    ),
    _trouble(
        FindingKind.MEMORY_LEAK,
        Severity.WARNING,
        "the kernel lost memory: {0}",
        r"\bkmemleak: \d{1,8} new suspected memory leaks?|^unreferenced object(?: 0x[0-9a-f]{8,16}\b|$)",
        ("kmemleak: ", "unreferenced object"),
        "kmemleak: 12 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
        "unreferenced object 0xffff888012345678 (size 64):",
        unlike="kmemleak: Kernel memory leak detector initialized (mem pool available: 15000)",
    ),
)  # fmt: skip

_HANGS: Final = (
    _trouble(
        FindingKind.HUNG_TASK,
        Severity.ERROR,
        "a task hung for minutes: {p}",
        r"(?:^INFO: task (?P<p>.{1,40}?):\d{1,8} |\b|^)blocked (?:in I/O wait )?for more than \d{1,6} seconds",
        ("blocked for more than", "blocked in I/O wait for more than"),
        "INFO: task kworker/0:1:12 blocked for more than 120 seconds.",
        "INFO: task demo:12 blocked in I/O wait for more than 143 seconds.",
        unlike="the account is blocked for more than a day",
    ),
    _trouble(
        FindingKind.HUNG_TASK,
        Severity.ERROR,
        "a network device is not let go: {d}",
        r"^unregister_netdevice: waiting for (?P<d>\S{1,20}) to become free",
        ("unregister_netdevice: waiting",),
        "unregister_netdevice: waiting for lo to become free. Usage count = 2",
        unlike="unregister_netdevice: done",
    ),
    _trouble(
        FindingKind.RCU_STALL,
        Severity.ERROR,
        "the kernel noticed a stalled processor (RCU)",
        r"\b(?:rcu: )?INFO: rcu\w{0,20} (?:self-)?detected (?:expedited )?stalls?"
        r"|\brcu: (?:INFO: )?rcu\w{0,20} kthread (?:timer )?(?:starved|wakeup)|\brcu\w{0,20} kthread starved for \d",
        ("detected stall", "detected stalls", "detected expedited stall", "detected expedited stalls",
         "kthread starved", "kthread timer wakeup"),
        "rcu: INFO: rcu_sched self-detected stall on CPU",
        "rcu: rcu_preempt kthread starved for 10500 jiffies! g1 f0x0 RCU_GP_WAIT_FQS(5)",
        unlike="rcu: Hierarchical RCU implementation.",
    ),
    _trouble(
        FindingKind.LOCKUP,
        Severity.ERROR,
        "a processor was locked up",
        r"\b(?:watchdog: |NMI watchdog: )?BUG: soft lockup - CPU#\d{1,4} stuck|\bWatchdog (?:CPU:\d{1,4}|detected)"
        r" (?:hard|Hard) LOCKUP|\bhard LOCKUP on cpu ?\d|^CPU#?\d{1,4} is stuck"
        r"|\bCPU \d{1,4} self-detected hard LOCKUP",
        ("soft lockup", "hard LOCKUP", "Hard LOCKUP", "is stuck"),
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [swapper/0:1]",
        "NMI watchdog: Watchdog detected hard LOCKUP on cpu 1",
        unlike="watchdog: Delayed init of the lockup detector failed: -19",
    ),
    _trouble(
        FindingKind.OUT_OF_MEMORY,
        Severity.ERROR,
        "out of memory: the kernel killed {p}",
        r"\b(?:Out of memory|Memory cgroup out of memory): Kill(?:ed)?"
        r" process \d{1,8} \(?(?P<p>[^)]{1,40}?)\)?(?=[ ,)]|$)",
        ("of memory: Kill", "of memory: Killed"),
        "Out of memory: Killed process 82 (dd) total-vm:3284kB, anon-rss:1020kB",
        unlike="ODEBUG: Out of memory. ODEBUG disabled",
    ),
    _trouble(
        FindingKind.MEMORY_SHORT,
        Severity.WARNING,
        "memory is short: {0}",
        r"^[^\s:]{1,40}(?: invoked oom-killer:|: page allocation (?:failure|stalls)|: vmalloc(?: error)?:? "
        r".{0,40}allocation failure)|\bpage allocation failure\b|\bvmalloc: allocation failure"
        r"|\binvoked oom-killer:|^SLU[AB]B?: Unable to allocate memory|^vmap allocation for size \d{1,16} failed",
        ("vmap allocation for", "invoked oom-killer", "page allocation ", "allocation failure",
         "Unable to allocate memory"),
        "demo invoked oom-killer: gfp_mask=0x201da, order=0, oom_score_adj=0",
        "demo: page allocation failure: order:4, mode:0x40cc0",
        unlike="oom-killer: disabled by the command line",
    ),
)  # fmt: skip

SIGNATURES: Final = _BUGS + _WARNINGS + _HANGS
