"""The Linux kernel's own data in disorder: lists, counters, slabs, objects, what an assertion refused.

Sources: recordings; the message formats of lib/list_debug.c, lib/refcount.c, lib/debugobjects.c, lib/kobject.c,
mm/slub.c, mm/slab.c, mm/usercopy.c, mm/vmalloc.c, mm/debug.c, mm/kasan/report.c, net/core/skbuff.c, fs/super.c, fs/xfs,
fs/btrfs, fs/sysfs, fs/jfs, fs/jbd2, kernel/power/process.c.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signatures.trouble import kernel_trouble
from hiperiso.contract.words import FindingKind, Severity

SIGNATURES: Final = (
    kernel_trouble(
        FindingKind.KERNEL_BUG,
        Severity.ERROR,
        "memory of the kernel is damaged: {0}",
        r"\b(?:list_(?:add|del) (?:double|corruption)|refcount_t: .{1,60}|detected buffer overflow in \w{1,60}"
        r"|usercopy: [Kk]ernel memory (?:exposure|overwrite) attempt"
        r"|ODEBUG: (?:(?:free|init|activate|deactivate|assert_init|destroy) \w{1,20}\b.{0,40}|object is (?:not )?on)"
        r"|VFS: (?:Close: file count is|Busy inodes after unmount|brelse: ).{0,60}|FAULT_FLAG_ALLOW_RETRY missing"
        r"|bad gfp|Object already free)",
        ("list_add ", "list_del ", "refcount_t: ", "usercopy: ", "detected buffer overflow", "ODEBUG: ",
         "VFS: Close", "VFS: Busy inodes", "VFS: brelse", "FAULT_FLAG_ALLOW_RETRY missing", "bad gfp",
         "Object already free"),
        "list_del corruption. prev->next should be ffff8880, but was 0000",
        "refcount_t: underflow; use-after-free.",
        "VFS: Busy inodes after unmount of sda1. Self-destruct in 5 seconds.",
        "ODEBUG: assert_init not available (active state 0) object: ffff8880 object type: timer_list",
        unlike="ODEBUG: Out of memory. ODEBUG disabled",
    ),
    kernel_trouble(
        FindingKind.KERNEL_BUG,
        Severity.ERROR,
        "memory of the kernel is damaged: {0}",
        r"^(?:slab error in \w{1,60}\(\)|Slab corruption(?: \(|: )|kfree_debugcheck: "
        r"|(?:\w{1,40}: )?Wrong slab cache\. |kmem_cache_destroy .{1,60}: Slab cache still has objects"
        r"|KASAN: [\w -]{1,60} in range \["
        r"|page dumped because: |Trying to vfree\(\) (?:bad|nonexistent) |(?:\w{1,40}: )?Bad swap file entry "
        r"|(?:skbuff: )?skb_(?:over|under)_panic: |dst_release(?:: dst:\S{1,20} refcnt:-| underflow)"
        r"|neighbour: destroying alive|(?:IPv[46]: )?Attempt to release (?:alive|TCP socket in state)"
        r"|PAX: (?:size overflow detected|.{0,40}attempt)|trusty: panic).{0,60}",
        ("slab error in", "Slab corruption", "kfree_debugcheck: ", "Wrong slab cache", "Slab cache still has",
         "KASAN: ", "page dumped because", "Trying to vfree", "Bad swap file entry", "skb_over_panic",
         "skb_under_panic", "dst_release", "destroying alive", "Attempt to release", "PAX: ", "trusty: panic"),
        "slab error in cache_alloc_debugcheck_after(): cache `demo': double free detected",
        "page dumped because: nonzero mapcount",
        "KASAN: null-ptr-deref in range [0x0000000000000000-0x0000000000000007]",
        "skbuff: skb_under_panic: text:ffffffff8100 len:96 put:14 head:ffff8880 data:ffff887f tail:0x5e end:0xc0",
        unlike="Slab corruption tests are off",
    ),
    kernel_trouble(
        FindingKind.KERNEL_BUG,
        Severity.ERROR,
        "an assertion of the kernel failed: {0}",
        r"^(?:(?:XFS|BTRFS)(?: \([^)]{1,30}\))?: |)[Aa]ssertion failed: .{1,100}, (?:in|file:) \S{1,80}\.[ch]\b.{0,20}"
        r"|^Assertion failure in \w{1,60}\(\) at \S{1,80}|^(?:\w{1,10}: )?BUG at \S{1,80}\.[ch]:\d{1,6} .{0,60}"
        r"|^Badness at \S{1,80}\.[chS]:\d{1,6}",
        ("Assertion failed: ", "assertion failed: ", "Assertion failure in", "BUG at ", "Badness at "),
        "assertion failed: !test_bit(DEMO, &root->state), in fs/btrfs/demo.c:12",
        "XFS: Assertion failed: 0, file: fs/xfs/demo.c, line: 12",
        'Assertion failure in demo_commit() at fs/jbd2/commit.c:12: "jh->b_next == NULL"',
        "BUG at fs/jfs/demo.c:12 assert(mp->count)",
        unlike="demo: demo.c:12: main: Assertion `n' failed.",
    ),
    kernel_trouble(
        FindingKind.KERNEL_WARNING,
        Severity.WARNING,
        "kernel warning: {0}",
        r"^(?:kobject_add_internal failed for .{1,40}|kobject\b.{1,80}something is seriously wrong"
        r"|sysfs: cannot create duplicate filename .{1,80}|Freezing of tasks failed after .{1,60})"
        r"|\b(?:ida_free|idr_remove|ida_remove) called for id=\d{1,10} which is not allocated",
        ("kobject_add_internal", "something is seriously wrong", "cannot create duplicate", "Freezing of tasks failed",
         "which is not allocated"),
        "sysfs: cannot create duplicate filename '/class/demo/demo0'",
        "kobject: 'demo' (00000000deadbeef): tried to init an initialized object, something is seriously wrong.",
        "Freezing of tasks failed after 20.003 seconds (1 tasks refusing to freeze, wq_busy=0):",
        unlike="Freezing user space processes ... (elapsed 0.001 seconds) done.",
    ),
)  # fmt: skip
