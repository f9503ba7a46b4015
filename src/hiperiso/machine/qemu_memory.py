"""Cached answers of a QEMU binary: starting it takes a quarter of a second, or one second under emulation.

The answers are valid as long as path, size and modification time of the binary stay the same. They are stored in
``$XDG_CACHE_HOME/hiperiso/qemu-answers.json``; on a stick, which has no cache, they are in the payload.

::

    {"/usr/bin/qemu-system-x86_64 18397560 1768003200000000000": {"version": ["7.2.22"], "trace_backend": ["log"], ...}}
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hiperiso.cache import cache_root
from hiperiso.contract.store import atomic_write

SHIPPED: Final = Path("/usr/share/hiperiso/qemu-answers.json")
"""In the payload."""

_NAME = "qemu-answers.json"
_MAX_BINARIES = 8
_Answers = dict[str, dict[str, list[str]]]


def cached(qemu: Path, question: str, ask: Callable[[], list[str]]) -> list[str]:
    """The cached answer, or else that of `ask`, which is cached unless it is empty.

    Raises:
        whatever `ask` raises.
    """
    key = answers_key(qemu)
    for path in (SHIPPED, _cache_path()):
        answer = _read(path).get(key, {}).get(question)
        if key and answer:
            return answer
    answer = ask()
    if key and answer:
        _store(_cache_path(), key, question, answer)
    return answer


def answers_key(qemu: Path) -> str:
    """The identity of the binary, ``""`` when it does not exist."""
    try:
        status = qemu.stat()
    except OSError:
        return ""
    return key_of(qemu.absolute(), status.st_size, status.st_mtime_ns)


def key_of(path: Path, size_bytes: int, mtime_ns: int) -> str:
    """The identity of a binary at another path."""
    return f"{path} {size_bytes} {mtime_ns}"


def _cache_path() -> Path:
    return cache_root() / _NAME


def _read(path: Path) -> _Answers:
    """The answers in the file; none if it is damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {
        key: {
            question: answer
            for question, answer in answers.items()
            if isinstance(answer, list) and all(isinstance(word, str) for word in answer)
        }
        for key, answers in value.items()
        if isinstance(answers, dict)
    }


def _store(path: Path, key: str, question: str, answer: list[str]) -> None:
    answers = _read(path)
    mine = answers.pop(key, {}) | {question: answer}
    kept = dict(list(answers.items())[-(_MAX_BINARIES - 1) :]) | {key: mine}
    with contextlib.suppress(OSError):  # without the cache the next start asks again
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(kept).encode() + b"\n")
