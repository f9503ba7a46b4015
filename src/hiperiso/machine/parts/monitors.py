"""QEMU's two monitors: QMP for the recorder, the human monitor for users."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hiperiso.contract.settings import Settings
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, Preparation, escape, require_socket_path


class Monitors(Part, frozen=True, kw_only=True):
    """Two unix sockets, bound before QEMU starts.

    Attributes:
        qmp: QMP; at most `SOCKET_PATH_MAX_BYTES`.
        human: the human monitor; the same bound.

    Raises:
        UsageError: a relative path, or one that is too long.
    """

    qmp: Path
    human: Path

    def __post_init__(self) -> None:
        for path in (self.qmp, self.human):
            require_socket_path(path)

    def prepare(self, preparation: Preparation) -> None:
        """See `Part.prepare`."""
        preparation.listen(self.qmp)
        preparation.listen(self.human)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        return self.argv_with({})

    def argv_with(self, listening: Mapping[Path, int]) -> list[str]:
        """See `Part.argv_with`."""

        def server(path: Path) -> str:
            where = f"fd={listening[path]}" if path in listening else f"path={escape(path)}"
            return f"{where},server=on,wait=off"

        return [
            *("-chardev", f"socket,id=qmp,{server(self.qmp)}"),
            *("-mon", "chardev=qmp,mode=control"),
            *("-chardev", f"socket,id=monitor,{server(self.human)}"),
            *("-mon", "chardev=monitor,mode=readline"),
        ]


def plan_monitors(settings: Settings, facts: Facts) -> Monitors:
    """Sockets among the private files."""
    return Monitors(qmp=facts.place.private_path("qmp"), human=facts.place.private_path("mon"))
