"""The requests of steps and the answers of the daemon, over inherited descriptors.

A request is one ``printf`` of a shell: ``BC1 ARGC\\0ARG0\\0...\\0``. Arguments are any bytes but NUL, so values with
newlines, quotes and glob characters pass unharmed.

* Questions go into a pipe, and the daemon answers into another, to be read with ``read -r``: lines ``CODE TAG TEXT``;
  a text with newlines takes several lines, all but the last with ``+`` after the code: ``0+ T first``, ``0 T second``.
  The tag is the first argument of the question: an unread answer is not mistaken for another one.
* Wishes go into a file in memory, which the daemon reads when the step has ended, for they count only then: one
  write, and the daemon does not even wake up. Another chain is asked for in a file of its own (``BC_NEXTCHAIN``).

==================  ========  =====================================================================
``target T``        question  the path of what is there: find_target, and resolve_target of Python
``where T``         question  resolve_target of the shell
``devname D``       question  resolve_devname
``device SPEC``     question  get_dev: the node of the device that a form of ``root=`` names
``bypass [DIR]``    question  bypass_results; done when it is answered
``name N``          question  pipe_name: the name of step N
``calls NAME``      question  how often a step has been called
``passed NAME``     question  is_step_passed for any step: code 0 or 1
``param NAME``      question  get_parameter for names that are not those of a variable
``reboot [WHY]``    question  bc_reboot; answered only when rebooting failed
``break``           wish      break_bc_loop
==================  ========  =====================================================================

One process of a step asks at a time, for two readers of one pipe would share the bytes of an answer. So there is a
third pipe with one line in it: who asks takes the line out first, and puts it back after the answer. The daemon puts
in another when it stays away, because its holder was killed.
"""

from __future__ import annotations

LOCK_FD = 195
UNLOCK_FD = 196
WISH_FD = 197
QUESTION_FD = 198
ANSWER_FD = 199
STEP_FDS = (LOCK_FD, UNLOCK_FD, WISH_FD, QUESTION_FD, ANSWER_FD)
"""The descriptors of a step; high, so that they do not meet those that scripts open by number."""

DESCRIPTORS = {
    "BC_LOCK": str(LOCK_FD),
    "BC_UNLOCK": str(UNLOCK_FD),
    "BC_WISH": str(WISH_FD),
    "BC_QUESTION": str(QUESTION_FD),
    "BC_ANSWER": str(ANSWER_FD),
}
"""The variables with the addresses at which the daemon listens."""

_MAGIC = b"BC1 "
_MAX_ARGUMENTS = 99_999
_MAX_BYTES = 1 << 20


def encode_request(*words: str) -> bytes:
    """One request as bytes. Raises ValueError on a NUL byte or more than 1 MiB."""
    raw = b"".join(_bytes(word) + b"\0" for word in words)
    if raw.count(b"\0") != len(words) or len(raw) > _MAX_BYTES or len(words) > _MAX_ARGUMENTS:
        raise ValueError("a request takes up to 99999 words, 1 MiB in all, without NUL bytes")
    return b"%s%d\0%s" % (_MAGIC, len(words), raw)


def encode_answer(code: int, tag: str, text: str) -> bytes:
    """One answer as bytes, ready for ``read -r``."""
    *first, last = text.split("\n")
    lines = "".join(f"{code}+ {tag} {line}\n" for line in first) + f"{code} {tag} {last}\n"
    return _bytes(lines)


class RequestReader:
    """Takes bytes as they come and gives whole requests; survives garbage and bounds its memory."""

    __slots__ = ("_buffer", "garbage")

    def __init__(self) -> None:
        self._buffer = b""
        self.garbage = 0
        """Bytes thrown away so far."""

    def feed(self, data: bytes) -> list[list[str]]:
        """Returns:
        The requests that are complete now, each a list of words.
        """
        self._buffer += data
        requests: list[list[str]] = []
        while self._buffer:
            if not self._buffer.startswith(_MAGIC[: len(self._buffer)]):
                self._skip()
                continue
            words = self._take()
            if words is None:
                break
            if words:
                requests.append(words)
        return requests

    def _take(self) -> list[str] | None:
        """The words of the first request, [] after garbage, None when it is not complete yet."""
        header, found, rest = self._buffer.partition(b"\0")
        digits = header[len(_MAGIC) :]
        wrong = len(digits) > 5 or (digits != b"" and not digits.isdigit()) or (found and not digits)
        if wrong or (found and not 0 < int(digits) <= _MAX_ARGUMENTS):
            self._skip()
            return []
        if not found:
            return None
        words = rest.split(b"\0", int(digits))
        if len(words) <= int(digits):
            if len(rest) > _MAX_BYTES:
                self._skip()
                return []
            return None
        self._buffer = words.pop()
        return [word.decode("utf-8", "surrogateescape") for word in words]

    def _skip(self) -> None:
        """Throw away what cannot be the start of a request, up to the next that may be one."""
        at = self._buffer.find(_MAGIC, 1)
        if at < 0:
            # The magic may be cut at the end.
            keep = next((n for n in (3, 2, 1) if self._buffer[1:].endswith(_MAGIC[:n])), 0)
            at = len(self._buffer) - keep
        self.garbage += at
        self._buffer = self._buffer[at:]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
