"""session.json and status.json of one session. Nothing else writes them, so they cannot disagree.

::

    record = SessionRecord(path, manifest)        at the start:  record.begin()
    record = SessionRecord.of(StoredSession(path))   later:      unknown keys are kept

    record.note(accel="kvm")          facts, kept for the next `write`
    record.reach(stage)               status.json
    record.write()                    session.json, where it differs from what is stored
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from hiperiso.contract import files
from hiperiso.contract.manifest import Manifest, StatusFile
from hiperiso.contract.naming import utc_now, utc_text
from hiperiso.contract.store import atomic_write_json
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import LifecycleStage, SessionStatus


class SessionRecord:
    """The manifest of a session and its current stage.

    Args:
        path: the session directory.
        manifest: session.json as it is, or will be.
        stored: the document on the disk; its keys that are not in `manifest` stay.
    """

    def __init__(self, path: Path, manifest: Manifest, stored: dict[str, Any] | None = None) -> None:
        self.path = path
        self._manifest = manifest
        self._stored = stored or {}
        self._stage = LifecycleStage.MOUNTED

    @classmethod
    def of(cls, session: StoredSession) -> Self | None:
        """The record of a stored session; None where its session.json does not match the contract."""
        return None if session.manifest is None else cls(session.path, session.manifest, session.document)

    @property
    def manifest(self) -> Manifest:
        """session.json as the next `write` leaves it."""
        return self._manifest

    def begin(self) -> None:
        """Write both files for the first time.

        Raises:
            OSError: the disk is full or gone.
        """
        self.write()
        self.reach(LifecycleStage.MOUNTED)

    def note(self, **facts: Any) -> None:
        """Set fields of the manifest; the next `write` stores them."""
        self._manifest = replace(self._manifest, **facts)

    def write(self) -> bool:
        """Write session.json; returns whether it was changed.

        Raises:
            OSError: the disk is full or gone.
        """
        document = self._stored | msgspec.to_builtins(self._manifest)
        if document == self._stored:
            return False
        atomic_write_json(self.path / files.SESSION_JSON, document)
        self._stored = document
        return True

    def reach(
        self,
        stage: LifecycleStage,
        *,
        status: SessionStatus = SessionStatus.STARTED,
        qemu_exit_code: int | UnsetType | None = UNSET,
    ) -> None:
        """Rewrite status.json for a stage transition.

        Raises:
            OSError: the disk is full or gone.
        """
        self._stage = stage
        value = StatusFile(
            session_id=self.path.name,
            status=status,
            stage=stage,
            timestamp_utc=utc_text(utc_now()),
            qemu_exit_code=qemu_exit_code,
        )
        atomic_write_json(self.path / files.STATUS_JSON, value)

    def run(self) -> None:
        """QEMU has answered: the status is ``running``, the stage stays.

        Raises:
            OSError: the disk is full or gone.
        """
        self.reach(self._stage, status=SessionStatus.RUNNING)


def rename_record(session: StoredSession, path: Path) -> None:
    """Write the new name and path of a stored session into the files that contain them.

    Raises:
        OSError: the disk is full or gone.
    """
    changes = {"session_id": path.name, "log_dir": str(path)}
    for name in (files.SESSION_JSON, files.STATUS_JSON, files.TIMING_JSON):
        document = session.json(name)
        if isinstance(document, dict):
            renamed = {key: changes.get(key, value) for key, value in document.items()}
            atomic_write_json(session.path / name, renamed)
