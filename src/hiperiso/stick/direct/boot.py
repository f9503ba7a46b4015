"""Records one direct boot: decides, prepares, closes the session; then the ISO takes over the machine.

After the session is closed nothing is written to the stick: its partition is made read-only before the machine
is handed over, so that a later power cut is harmless.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec

from hiperiso.contract.eventdata import HandoverData
from hiperiso.contract.words import DirectWay, LifecycleStage
from hiperiso.errors import HarnessFault, HiperisoError, UsageError
from hiperiso.iso.inspect import inspect_iso
from hiperiso.session.bare import BareSession, open_bare_session
from hiperiso.session.request import BootObserver, BootOutcome, BootRequest
from hiperiso.stick.direct.cause import Cause
from hiperiso.stick.direct.kexec import start_loaded_kernel
from hiperiso.stick.direct.perform import MountedIso
from hiperiso.stick.direct.plan import DirectFacts, LivePlan, Plan, plan_direct
from hiperiso.stick.partition import make_readonly

NEXT_CHAIN: Final = ("rootfs",)
"""The steps after a hand-over to a live system: the assembled file system becomes the root of stage 2."""

_VERIFY: Final = "PIPE_VERIFY_SIGN"


class _Chain(Protocol):
    """What is required of the running step."""

    def next_bootchain(self, *names: str) -> None: ...
    def bypass_results(self, directory: str = "") -> None: ...


@dataclass(frozen=True)
class HandOver:
    """A machine that is ready to be handed over.

    Attributes:
        receiver: description of what takes over.
        root: the root of the live system; None for a loaded kernel.
    """

    receiver: str
    root: Path | None = None

    def go(self, chain: _Chain) -> HarnessFault | None:
        """Hand over. A loaded kernel starts immediately; a live system when the step ends with 0.

        Returns:
            Why the loaded kernel did not start; None where the chain continues.

        Raises:
            StepError: the chain does not respond.
        """
        make_readonly()
        if self.root is None:
            return start_loaded_kernel()
        chain.bypass_results(str(self.root))
        chain.next_bootchain(*NEXT_CHAIN)
        return None


def boot_directly(
    request: BootRequest,
    facts: DirectFacts,
    cause: Cause,
    *,
    observer: BootObserver,
    say: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
    open_medium: Callable[[Path], MountedIso] = MountedIso,
) -> tuple[BootOutcome, HandOver | None]:
    """Prepare the direct boot of an ISO and record it.

    Returns:
        The outcome, and the hand-over; None where the ISO cannot be booted directly: the outcome has the reason.

    Raises:
        HarnessFault: no session can be written.
    """
    kvm_facts = {"accel": "none", "reason": f"direct boot: {cause.reason}"}
    with open_bare_session(request, kvm=cause.kvm, kvm_facts=kvm_facts, observer=observer) as session:
        session.note(accel="none", accel_reason=kvm_facts["reason"])
        session.reach(LifecycleStage.FALLBACK_NO_KVM)
        session.take_host_inventory()
        medium: MountedIso | None = None
        try:
            _refuse_signatures(environ)
            facts = _with_label(facts, request.iso)
            medium = open_medium(request.iso)
            hand_over, data = _prepare(medium, facts, session, say)
        except HiperisoError as error:
            if medium:
                medium.close()
            return session.refuse(error), None
        say(f"handing the machine over to {hand_over.receiver}")
        return session.hand_over(hand_over.receiver, data), hand_over


def _prepare(
    medium: MountedIso, facts: DirectFacts, session: BareSession, say: Callable[[str], None]
) -> tuple[HandOver, HandoverData]:
    tree = medium.open()
    session.mark("medium_mounted")
    plans = plan_direct(tree, facts)
    tried: list[str] = []
    for number, plan in enumerate(plans, 1):
        say(f"trying {plan.receiver}")
        try:
            if isinstance(plan, LivePlan):
                ready = HandOver(plan.receiver, medium.prepare_live(plan, tree))
            else:
                medium.prepare_kexec(plan, tree)
                medium.close()
                ready = HandOver(plan.receiver)
        except HarnessFault as error:
            say(f"  not possible: {error}")
            tried.append(error.message)
            continue
        session.mark("system_prepared")
        others = [other.receiver for other in plans[number:]]
        for other in others:
            say(f"  not tried: {other}")
        return ready, msgspec.structs.replace(_facts_of(plan), tried=tried, not_tried=others)
    raise HarnessFault("this ISO cannot be booted directly: " + "; ".join(tried), hint="boot it emulated")


def _facts_of(plan: Plan) -> HandoverData:
    if isinstance(plan, LivePlan):
        return HandoverData(
            way=DirectWay.LIVE,
            files=list(plan.image.layers),
            kind=plan.image.kind,
            kernel=os.uname().release,
        )
    return HandoverData(
        way=DirectWay.KEXEC,
        files=[plan.entry.kernel, *plan.entry.initrds],
        kernel=plan.release,
        arguments=plan.arguments,
        menu=plan.entry.source,
        told_by=plan.documented_in,
        notes=list(plan.notes),
    )


def _with_label(facts: DirectFacts, iso: Path) -> DirectFacts:
    """Raises IsoError: not an ISO, or it does not exist."""
    return DirectFacts(
        iso_path=facts.iso_path,
        iso_device=facts.iso_device,
        way=facts.way,
        efi=facts.efi,
        label=inspect_iso(iso).volume_id,
    )


def _refuse_signatures(environ: Mapping[str, str]) -> None:
    """Raises UsageError: the chain only trusts signed images, and those inside an ISO are not signed."""
    if any(name.startswith(_VERIFY) and name != _VERIFY and value for name, value in environ.items()):
        raise UsageError(
            "signatures are required (pipe-verify-sign), but the content of an ISO is not signed",
            hint="boot it emulated, or remove pipe-verify-sign",
        )
