"""A virtual TPM 2.0: swtpm, with its state in the session directory; it ends with the guest."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import FirmwareKind
from hiperiso.errors import HarnessFault
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, Preparation, escape, require_absolute, require_socket_path
from hiperiso.machine.parts.firmware import decide_firmware
from hiperiso.packages import install_hint

STATE_DIR: Final = "tpm"
PCRS_FILE: Final = "pcrs.json"
_END_S: Final = 5.0


class Tpm(Part, frozen=True, kw_only=True):
    """The TPM.

    Attributes:
        state: its directory.
        control: the socket at which QEMU finds it.
        device: QEMU's device: ``tpm-crb`` or ``tpm-tis``.
    """

    state: Path
    control: Path
    device: str

    def __post_init__(self) -> None:
        require_absolute(self.state)
        require_socket_path(self.control)

    @property
    def pcrs(self) -> Path:
        """The PCRs, written when QEMU ends."""
        return self.state / PCRS_FILE

    def prepare(self, preparation: Preparation) -> None:
        """See `Part.prepare`."""
        from socket import AF_UNIX, SOCK_STREAM, socket, socketpair

        from hiperiso.machine.swtpm import Relay, swtpm_argv  # few boots have one

        program = shutil.which("swtpm")
        if program is None:
            hint = f"{install_hint('swtpm')}; for a stick: hiperiso payload build --swtpm"
            raise HarnessFault("a virtual TPM needs the program swtpm", hint=hint)
        self.state.mkdir(mode=0o700)
        listening = socket(AF_UNIX, SOCK_STREAM)
        try:
            listening.bind(str(self.control))
            listening.listen(1)
        except OSError as error:
            listening.close()
            raise HarnessFault(f"cannot listen at {self.control}: {error.strerror or error}") from None
        ours, theirs = socketpair()
        process = preparation.start_child(
            swtpm_argv(program, self.state, theirs.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()
        relay = Relay(listening, ours, self.pcrs)
        relay.start()
        preparation.stack.callback(_end, process)
        preparation.stack.callback(relay.close)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        return [
            *("-chardev", f"socket,id=tpm-control,path={escape(self.control)}"),
            *("-tpmdev", "emulator,id=tpm0,chardev=tpm-control"),
            *("-device", f"{self.device},tpmdev=tpm0"),
        ]

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        return (f"a virtual TPM 2.0 (swtpm, {self.device}); its state is in {STATE_DIR}/",)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def plan_tpm(settings: Settings, facts: Facts) -> Tpm | None:
    """The TPM of the settings; None without one.

    Raises:
        HarnessFault, UsageError: as for `decide_firmware`.
    """
    if not settings.tpm:
        return None
    uefi = decide_firmware(settings, facts).kind is FirmwareKind.UEFI
    return Tpm(
        state=facts.place.directory / STATE_DIR,
        control=facts.place.private_path("tpm"),
        device="tpm-crb" if uefi else "tpm-tis",
    )
