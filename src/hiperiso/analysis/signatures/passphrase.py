"""Prompts for the passphrase of an encrypted disk: in GRUB, in an initramfs, by systemd and by Plymouth.

Only a prompt counts: a line that mentions passphrases does not request one.

Sources: cryptsetup-initramfs (cryptroot-unlock), dracut's crypt module, systemd-ask-password(1), GRUB's cryptodisk,
mkinitcpio's encrypt hook, zfs-load-key(8), as their documentation and messages have them.
"""

from __future__ import annotations

from typing import Final

from hiperiso import rows
from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.contract.words import EndReason, FindingKind, Severity

_SETTLE_S: Final = 10.0  # a key file, a token or a script may answer by itself


def _prompt(pattern: str, literals: tuple[str, ...], example: str, unlike: str) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=(example,),
        unlike=unlike,
        kind=FindingKind.PASSPHRASE_PROMPT,
        severity=Severity.WARNING,
        summary="waits for a passphrase: {0}",
        effect=Effect.ASKS,
        on=On.PROMPT,
        settle_s=_SETTLE_S,
        reason=EndReason.PASSPHRASE,
    )


SIGNATURES: Final = (
    _prompt(
        r"(?i)\b(?:please )?enter (?:the )?(?:pass ?phrase|password|recovery key)(?: for| to) "
        r"\S[^:]{0,100}: ?(?:\(press TAB [^)]{1,20}\) ?)?\*{0,64}$",
        ("nter passphrase", "nter pass phrase", "nter password", "nter the pass", "nter recovery key"),
        "Please enter passphrase for disk QEMU_HARDDISK (luks-4f2a):",
        "Enter passphrase for the demo was typed too late: giving up",
    ),
    _prompt(
        rows.UNLOCK_DISK,
        ("lease unlock disk ",),
        "Please unlock disk vda3_crypt:",
        "Please unlock disk vda3_crypt: cryptsetup: ERROR: maximum number of tries exceeded",
    ),
    _prompt(
        r"(?i)^\W{0,40}a password is required to access the \S{1,60} volume:?$",
        ("password is required to access the ",),
        "A password is required to access the cryptroot volume:",
        "A password is required to access the network",
    ),
)
