"""What is wrong in a configuration file: a value with its place."""

from __future__ import annotations

import msgspec

from hiperiso.contract.words import Severity


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong in a configuration file.

    Attributes:
        path: of the value, such as ``iso_overrides['*.iso'].ram``; empty for the whole file.
        line, column: of it, from 1; the column counts characters.
        message: what is wrong.
        nearest: the known key or word that was probably meant; empty if none is near.
        severity: an error keeps the file from being used; a warning names what has no effect.
    """

    path: str
    line: int
    column: int
    message: str
    nearest: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    def in_file(self, name: str) -> str:
        """As a line of a compiler: ``FILE:LINE:COLUMN: PATH: MESSAGE``."""
        word = "" if self.severity is Severity.ERROR else "warning: "
        return f"{name}:{self.line}:{self.column}: {word}{self}"
