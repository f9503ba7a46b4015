"""Messages on QEMU's standard error: harness faults, and what the guest does not get.

Sources: QEMU's own messages; the kernel's KVM documentation on exit reasons.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import On, Signature
from hiperiso.contract.words import FindingKind, Severity


def _fault(pattern: str, literals: tuple[str, ...], example: str, unlike: str, summary: str) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=(example,),
        unlike=unlike,
        kind=FindingKind.HYPERVISOR_FAULT,
        severity=Severity.ERROR,
        summary=summary,
        on=On.STDERR,
    )


SIGNATURES: Final = (
    _fault(
        r"KVM internal error\. Suberror: (?P<n>\d{1,4})",
        ("KVM internal error",),
        "KVM internal error. Suberror: 1",
        "KVM internal tables are built",
        "KVM could not run the guest (internal error, suberror {n})",
    ),
    _fault(
        r"KVM: entry failed, hardware error (?P<n>0x[0-9a-f]{1,16})",
        ("KVM: entry failed",),
        "KVM: entry failed, hardware error 0x80000021",
        "KVM: entry is possible",
        "KVM could not enter the guest (hardware error {n})",
    ),
    _fault(
        r"error: kvm run failed (?P<w>[^\r\n]{1,60})|kvm_init_vcpu failed|Could not access KVM kernel module",
        ("kvm run failed", "kvm_init_vcpu failed", "Could not access KVM"),
        "error: kvm run failed Bad address",
        "error: none",
        "KVM failed: {0}",
    ),
    _fault(
        (
            r"cannot set up guest memory '[^']{1,40}': (?P<w>[^\r\n]{1,60})"
            r"|qemu_ram_alloc|Cannot allocate memory"
        ),
        ("cannot set up guest memory", "Cannot allocate memory"),
        "qemu-system-x86_64: cannot set up guest memory 'ram': Cannot allocate memory",
        "qemu-system-x86_64: memory is set up",
        "the host had no memory for the guest",
    ),
    Signature(
        pattern=(
            r"warning: (?P<who>TCG|host) doesn't support requested feature: "
            r"\S{1,40}?\.(?P<name>[a-z0-9_.-]{2,40}) \["
        ),
        literals=("support requested feature",),
        examples=(
            "qemu-system-x86_64: warning: TCG doesn't support requested feature: CPUID.01H:ECX.vmx [bit 5]",
            "qemu: warning: host doesn't support requested feature: CPUID.07H:EBX.hle [bit 4]",
        ),
        unlike="warning: TCG doesn't support requested machine",
        kind=FindingKind.CPU_FEATURE_MISSING,
        severity=Severity.WARNING,
        summary="the guest's CPU has no {name}: the accelerator ({who}) does not support it",
        on=On.STDERR,
    ),
)
