"""The Linux kernel in trouble: bugs, oopses, warnings, locks, hangs, memory; of old and new kernels, of all machines.

Sources: recordings; the message formats of lib/bug.c, kernel/locking/lockdep.c, kernel/rcu, mm, lib/ubsan.c,
mm/kasan and arch/*/kernel/traps.c and mm/fault.c; the kernel's admin guide ("Bug hunting", "Tainted kernels").

A row with ``origin=Origin.KERNEL`` counts behind a time stamp alone; others are plain enough without one.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Origin, Signature
from hiperiso.contract.words import BootStage, FailureDomain, FindingKind, Severity


def kernel_trouble(
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
    """A row about the kernel in trouble."""
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
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
    kernel_trouble(
        FindingKind.KERNEL_BUG,
        Severity.ERROR,
        "{0}",
        r"^(?:BUG: (?!soft lockup)(?P<what>.{1,120})|[kK]ernel BUG (?:in \w{1,60} )?at (?P<where>\S{1,100})"
        r"|\[ BUG: .{1,80}? \]|BUG [\w-]{1,60} ?(?:\([^)]{1,60}\))? ?: .{1,80})",
        ("BUG: ", "kernel BUG ", "BUG "),
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "kernel BUG at fs/demo.c:12!",
        "Kernel BUG at 00000000deadbeef [verbose debug info unavailable]",
        "[ BUG: Invalid wait context ]",
        "BUG kmalloc-64 (Not tainted): Poison overwritten",
        unlike="DEBUG: nothing to see",
    ),
    kernel_trouble(
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
    kernel_trouble(
        FindingKind.OOPS,
        Severity.ERROR,
        "kernel oops: {0}",
        # whatever the machine calls it: the number of the oops in brackets is the kernel's alone
        r"(?:\b[A-Z]?[a-z][\w ,./()-][^\[\]]{0,160}|^Oops(?: - [\w ]{1,40})? )"
        r"\[#\d{1,4}\](?: |$)|^[A-Z][\w ]{3,40}\[#\d{1,4}\]:",
        ("[#",),
        "Oops: 0002 [#1] PREEMPT SMP NOPTI",
        "general protection fault: 0000 [#1] SMP",
        "divide error: 0000 [#1] PREEMPT SMP",
        "Internal error: synchronous external abort: 96000010 [#1] PREEMPT SMP",
        "Oops [#1]",
        "illegal operation: 0001 ilc:1 [#1] SMP",
        "Kernel bug detected[#1]:",
        "Oops[#1]:",
        "Kernel unaligned instruction access[#1]:",
        "Oops: Kernel access of bad area, sig: 11 [#1]",
        unlike="fixed in [#12]: the list of oopses",
    ),
    kernel_trouble(
        FindingKind.OOPS,
        Severity.ERROR,
        "kernel oops: {0}",
        r"^(?:traps: )?(?:general protection fault(?:, |:|$)|double fault: |PANIC: double fault|Oops: |Oops - "
        r"|Internal error: |Unhandled fault: |Unhandled prefetch abort: |Bad mode in .{1,40} handler"
        r"|SError Interrupt on CPU ?\d|(?:CPU \d{1,4} )?Unable to handle (?:kernel|paging request) .{1,80}"
        r"|Unexpected kernel |[kK]ernel tried to execute |Missing ENDBR: |Alignment trap: not handling"
        r"|Fixing recursive fault but reboot|corrupted stack end detected|(?:cfi: )?CFI failure "
        r"|Kernel attempted to (?:read|write|execute|access) user page"
        r"|Kernel stack overflow|kernel stack overflow|Insufficient stack space to handle exception"
        r"|unhandled (?:level \d )?(?:kernel )?(?:fault|abort)|[mM]achine check in kernel mode"
        r"|Stack-protector: |stack-protector: )(?!.{0,160}\[#\d).{0,80}",
        ("general protection fault", "double fault", "Oops: ", "Oops - ", "Internal error: ", "Unhandled fault: ",
         "Unhandled prefetch abort", "Bad mode in", "SError Interrupt on CPU", "Unable to handle kernel",
         "Unable to handle paging", "Unexpected kernel", "tried to execute", "Missing ENDBR", "Alignment trap",
         "Fixing recursive fault", "corrupted stack end", "Kernel attempted to", "ernel stack overflow",
         "Insufficient stack space", "unhandled level", "unhandled fault", "CFI failure", "check in kernel",
         "tack-protector: "),
        "PANIC: double fault, error_code: 0x0",
        "SError Interrupt on CPU1, code 0xbf000002 -- SError",
        "Unhandled fault: external abort on non-linefetch (0x1008) at 0xb6f2c000",
        "Unable to handle kernel NULL pointer dereference at virtual address 00000008",
        "Unable to handle paging request for data at address 0xc000000000123456",
        "traps: Missing ENDBR: demo_run+0x0/0x10",
        "Fixing recursive fault but reboot is needed!",
        "CPU 1 Unable to handle kernel paging request at virtual address 0000000000000000, era == 9000000000223344",
        "CFI failure at demo_run+0x1/0x2 (target: other+0x0/0x1; expected type: 0x12345678)",
        unlike="demo[12]: Internal error: no such file",
        origin=Origin.ANY,
    ),
    kernel_trouble(
        FindingKind.OOPS,
        Severity.ERROR,
        STOPPED_IN,
        r"^(?:EIP|NIP|PC is at|pc :|PC:|epc ?:|EIP is at|RIP: (?:0010|e030):|RIP:)"
        r"(?::? {0,2}\[?<?[0-9a-f]{8,16}>?\]?){0,2}"
        r":? {0,2}(?:0010:)?[\w.]{1,80}\+0x[0-9a-f]{1,8}/0x[0-9a-f]{1,8}",
        ("EIP: ", "EIP is at", "NIP ", "PC is at", "pc : ", "PC: ", "epc : ", "RIP: "),
        "EIP: demo_read+0x59/0xb0",
        "RIP: 0010:demo_read+0x1/0x2",
        "RIP: 0010:[<ffffffff81001234>]  [<ffffffff81001234>] demo_read+0x1/0x2",
        "EIP: [<c1001234>] demo_read+0x1/0x2 SS:ESP 0068:c0123456",
        "PC is at demo_probe+0x10/0x24",
        "pc : demo_probe+0x10/0x24",
        unlike="RIP: 0033:0x7f1234567890",
        origin=Origin.KERNEL,
    ),
    kernel_trouble(
        FindingKind.KERNEL_TRACE,
        Severity.WARNING,
        "the kernel printed a trace of its calls",
        r"^(?:Call [Tt]race:|Modules linked in:|(?:stack )?[Bb]acktrace: ?$|Backtrace for cpu)"
        r"|^-{3}\[ end trace |^CPU: \d{1,4} (?:UID: \d{1,10} )?PID: \d{1,8} Comm: \S.{0,40}(?:Not t|T)ainted",
        ("Call Trace:", "Call trace:", "Modules linked in:", "Backtrace:", "backtrace:", "Backtrace for cpu",
         "[ end trace ", "Comm: "),
        "Call Trace:",
        "CPU: 1 UID: 0 PID: 12 Comm: demo Not tainted 6.12.0-demo #1",
        "---[ end trace 0000000000000000 ]---",
        unlike="Call Trace: see the manual".replace("Call Trace:", "A call trace:"),
        origin=Origin.KERNEL,
    ),
    kernel_trouble(
        FindingKind.KERNEL_TRACE,
        Severity.WARNING,
        "the kernel printed a trace of its calls",
        r"^Call [Tt]race: ?$|^CPU: \d{1,4} (?:UID: \d{1,10} )?PID: \d{1,8} Comm: \S.{0,40}(?:Not t|T)ainted",
        ("Call Trace:", "Call trace:", "Comm: "),
        "Call Trace:",
        "CPU: 0 PID: 12 Comm: demo Tainted: G        W         5.10.0-demo #1",
        unlike="Call Trace: see the manual",
        origin=Origin.USER,
    ),
)  # fmt: skip

_WARNINGS: Final = (
    kernel_trouble(
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
    kernel_trouble(
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
    kernel_trouble(
        FindingKind.KERNEL_WARNING,
        Severity.WARNING,
        "kernel warning: {0}",
        r"^WARNING: (?:CPU: \d{1,4} PID: \d{1,8} (?!at [\w./+-]{1,80}\.[chS]:\d)"
        r"|kernel stack (?:regs|frame pointer) at |stack (?:recursion on|going in) |can't dereference "
        r"|proc registered ).{1,80}",
        ("WARNING: CPU", "kernel stack regs", "kernel stack frame", "stack recursion on", "stack going in",
         "can't dereference", "proc registered"),
        "WARNING: kernel stack frame pointer at ffff8880 in demo:12 has bad value ffff8881",
        "WARNING: CPU: 1 PID: 12 demo_run+0x10/0x20",
        unlike="WARNING: stack of plates",
        origin=Origin.USER,
    ),
    kernel_trouble(
        FindingKind.KERNEL_WARNING,
        Severity.WARNING,
        "undefined behaviour: {w}",
        r"^UBSAN: (?P<w>(?:[\w -]{1,60} in \S{1,100}:\d|[Uu]ndefined behaviou?r).{0,60})",
        ("UBSAN: ",),
        "UBSAN: shift-out-of-bounds in kernel/demo.c:12:3",
        unlike="UBSAN: enabled",
    ),
    kernel_trouble(
        FindingKind.LOCK_WARNING,
        Severity.WARNING,
        "the kernel's lock checker: {w}{x}",
        r"^(?:\[ )?(?:WARNING|INFO|BUG): (?P<w>possible (?:circular|recursive|irq|unsafe|deadlock)\b.{1,80}"
        r"|inconsistent lock state|suspicious RCU usage|bad unlock balance detected.{0,4}"
        r"|bad contention detected.{0,4}"
        r"|[Nn]ested lock was not taken|lock held .{1,60}|held lock freed.{0,4}|Invalid wait context"
        r"|(?:HARDIRQ|SOFTIRQ|RECLAIM_FS)-(?:READ-)?\w{1,8} -> .{1,60}|trying to register non-static key"
        r"|[\w/.:-]{1,60} still has locks held.{0,4}|suspicious \w{1,20} usage|lock held at task exit time.{0,4}"
        r"|key .{1,40} not in \.data|chain_key collision)"
        r"|^(?P<x>DEBUG_LOCKS_WARN_ON\(.{1,80}|(?:softirq: )?huh, entered softirq .{1,60})",
        ("possible circular", "possible recursive", "possible irq", "possible unsafe", "possible deadlock",
         "inconsistent lock state", "suspicious ", "bad unlock balance", "bad contention", "lock was not taken",
         "lock held ", "held lock freed", "Invalid wait context", "HARDIRQ-", "SOFTIRQ-", "RECLAIM_FS-",
         "non-static key", "still has locks held", "not in .data", "chain_key collision",
         "DEBUG_LOCKS_WARN_ON", "huh, entered softirq"),
        "WARNING: possible circular locking dependency detected",
        "[ INFO: suspicious RCU usage. ]",
        "INFO: trying to register non-static key.",
        "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected",
        "WARNING: bad unlock balance detected!",
        "INFO: SOFTIRQ-READ-safe -> SOFTIRQ-READ-unsafe lock order detected",
        "DEBUG_LOCKS_WARN_ON(lock->magic != lock)",
        unlike="INFO: lockdep is turned off.",
        shares=(FindingKind.KERNEL_BUG,),
    ),
    kernel_trouble(
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
    kernel_trouble(
        FindingKind.HUNG_TASK,
        Severity.ERROR,
        "a task hung for minutes: {p}",
        r"(?:^INFO: task (?P<p>.{1,40}?):\d{1,8} |\b|^)"
        r"(?:blocked (?:in I/O wait )?|can't die )for more than \d{1,6} seconds",
        ("blocked for more than", "blocked in I/O wait for more than", "can't die for more than"),
        "INFO: task kworker/0:1:12 blocked for more than 120 seconds.",
        "INFO: task demo:12 blocked in I/O wait for more than 143 seconds.",
        "INFO: task demo:12 can't die for more than 143 seconds.",
        unlike="the account is blocked for more than a day",
    ),
    kernel_trouble(
        FindingKind.HUNG_TASK,
        Severity.ERROR,
        "a network device is not let go: {d}",
        r"^unregister_netdevice: waiting for (?P<d>\S{1,20}) to become free",
        ("unregister_netdevice: waiting",),
        "unregister_netdevice: waiting for lo to become free. Usage count = 2",
        unlike="unregister_netdevice: done",
    ),
    kernel_trouble(
        FindingKind.RCU_STALL,
        Severity.ERROR,
        "the kernel noticed a stalled processor (RCU)",
        r"\b(?:rcu: )?INFO: rcu\w{0,20} (?:self-)?detected (?:expedited )?stalls?"
        r"|\brcu: (?:INFO: )?rcu\w{0,20} kthread (?:timer )?(?:starved|wakeup)"
        r"|\brcu\w{0,20} kthread (?:starved for \d|gets sufficient CPU time)",
        ("detected stall", "detected stalls", "detected expedited stall", "detected expedited stalls",
         "kthread starved", "kthread gets sufficient", "kthread timer wakeup"),
        "rcu: INFO: rcu_sched self-detected stall on CPU",
        "rcu: rcu_preempt kthread starved for 10500 jiffies! g1 f0x0 RCU_GP_WAIT_FQS(5)",
        unlike="rcu: Hierarchical RCU implementation.",
    ),
    kernel_trouble(
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
    kernel_trouble(
        FindingKind.OUT_OF_MEMORY,
        Severity.ERROR,
        "out of memory: the kernel killed {p}",
        r"\b(?:Out of memory|Memory cgroup out of memory)(?: \(oom_kill_allocating_task\))?: Kill(?:ed)?"
        r" process \d{1,8} \(?(?P<p>[^)]{1,40}?)\)?(?=[ ,)]|$)",
        ("of memory: Kill", "of memory: Killed", "oom_kill_allocating_task"),
        "Out of memory: Killed process 82 (dd) total-vm:3284kB, anon-rss:1020kB",
        unlike="ODEBUG: Out of memory. ODEBUG disabled",
    ),
    kernel_trouble(
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
