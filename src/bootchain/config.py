"""``/etc/sysconfig/bootchain``: KEY=VALUE lines as a shell would read them, and the settings of one daemon.

========================  ======================================================================================
``BC_LOG_VT``             virtual terminal of the log, default 3; empty: none
``BC_FGVT_ACTIVATE``      seconds before the interactive terminal is activated, default 2 in debug mode, else 8;
                          empty: at once
``BC_LOGFILE``            log file or special device, default ``/var/log/bootchained.log`` (``pipelined.log``)
``mntdir``                default ``/dev/bootchain`` (``/dev/pipeline``)
``rootmnt``               where stage 2 is mounted, default ``/root``
``BC_FGVT``               the interactive terminal: a number or a path, default 2
``BC_STEPDIR``            directories of step-scripts, ``:`` between them, searched before the built-in ones
``BC_CHAINLOG``           the structured log, default ``chain.jsonl`` beside the log file
``BC_RETRY_DELAY``        seconds between two tries, default 2
========================  ======================================================================================

The names in parentheses are the defaults in pipeline mode. Other programs keep their own keys in the same file. A
key in the environment of the daemon wins over the file.
"""

from __future__ import annotations

from bootchain.chain import NATIVE, RETRY_DELAY_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_FILE = "/etc/sysconfig/bootchain"
STEP_DIRS = {"native": "/lib/bootchain:/lib/pipeline", "pipeline": "/lib/pipeline:/lib/bootchain"}
KEYS = (
    "BC_LOG_VT",
    "BC_FGVT_ACTIVATE",
    "BC_LOGFILE",
    "mntdir",
    "rootmnt",
    "BC_FGVT",
    "BC_STEPDIR",
    "BC_CHAINLOG",
    "BC_RETRY_DELAY",
)


def parse(text: str) -> tuple[dict[str, str], list[str]]:
    """Read KEY=VALUE lines: ``#`` comments, ``export``, single and double quotes, backslashes; no expansion.

    Returns:
        The values, and one complaint for each line that is no assignment.
    """
    values: dict[str, str] = {}
    complaints = []
    for count, line in enumerate(text.splitlines(), 1):
        stripped = line.strip().removeprefix("export ").lstrip()
        if not stripped or stripped.startswith("#"):
            continue
        key, equals, rest = stripped.partition("=")
        if not equals or not key.isidentifier() or not key.isascii():
            complaints.append(f"line {count}: not KEY=VALUE: {line.strip()[:80]}")
            continue
        value = _unquote(rest)
        if value is None:
            complaints.append(f"line {count}: unfinished quotes in {key}")
            continue
        values[key] = value
    return values, complaints


def _unquote(text: str) -> str | None:
    """The first shell word of a text; None when a quote stays open."""
    word = []
    quote = ""
    i = 0
    while i < len(text):
        char = text[i]
        if quote == "'":
            if char == "'":
                quote = ""
            else:
                word.append(char)
        elif char == "\\" and i + 1 < len(text) and (not quote or text[i + 1] in '"\\$`'):
            i += 1
            word.append(text[i])
        elif quote:
            if char == '"':
                quote = ""
            else:
                word.append(char)
        elif char in "'\"":
            quote = char
        elif char in " \t;":
            break
        else:
            word.append(char)
        i += 1
    return None if quote else "".join(word)


class Settings:
    """How one daemon works; made by :func:`settle`. Paths are absolute, times in seconds."""

    __slots__ = (
        "chain_log",
        "debug",
        "fg_delay_s",
        "fg_terminal",
        "log_file",
        "log_vt",
        "mntdir",
        "mode",
        "retry_delay_s",
        "rootmnt",
        "step_dirs",
        "test_name",
        "values",
    )

    log_vt: str
    fg_delay_s: float
    fg_terminal: str
    log_file: str
    chain_log: str
    mntdir: str
    rootmnt: str
    step_dirs: tuple[str, ...]
    retry_delay_s: float
    mode: str
    debug: bool
    test_name: str
    values: dict[str, str]


def settle(
    values: Mapping[str, str], *, mode: str, debug: bool, test_name: str
) -> tuple[Settings, list[str]]:
    """Fill in the defaults of a mode.

    Returns:
        The settings, and one complaint for each value that is not usable (its default is taken).
    """
    complaints: list[str] = []
    native = mode == NATIVE
    made = Settings()
    made.values = dict(values)
    made.mode = mode
    made.debug = debug
    made.test_name = test_name
    made.log_vt = values.get("BC_LOG_VT", "3")
    made.log_file = values.get("BC_LOGFILE") or f"/var/log/{'bootchained' if native else 'pipelined'}.log"
    made.mntdir = (values.get("mntdir") or f"/dev/{'bootchain' if native else 'pipeline'}").rstrip("/") or "/"
    made.rootmnt = (values.get("rootmnt") or "/root").rstrip("/") or "/"
    beside = made.log_file[: made.log_file.rfind("/") + 1]
    if beside == "/dev/":  # a special device
        beside = "/var/log/"
    made.chain_log = values.get("BC_CHAINLOG") or f"{beside}chain.jsonl"
    terminal = values.get("BC_FGVT") or "2"
    made.fg_terminal = f"/dev/tty{terminal}" if terminal.isdigit() else terminal
    made.fg_delay_s = _seconds(values, "BC_FGVT_ACTIVATE", 2.0 if debug else 8.0, complaints)
    made.retry_delay_s = _seconds(values, "BC_RETRY_DELAY", RETRY_DELAY_S, complaints)
    step_dirs = f"{values.get('BC_STEPDIR', '')}:{STEP_DIRS[mode]}"
    made.step_dirs = tuple(part for part in step_dirs.split(":") if part)
    for key, default in (("mntdir", "/dev/bootchain" if native else "/dev/pipeline"), ("rootmnt", "/root")):
        if not getattr(made, key).startswith("/"):
            complaints.append(f"{key}={getattr(made, key)}: not an absolute path, taking {default}")
            setattr(made, key, default)
    return made, complaints


def _seconds(values: Mapping[str, str], key: str, default: float, complaints: list[str]) -> float:
    text = values.get(key)
    if text is None:
        return default
    if text == "":
        return 0.0
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if 0 <= number < 1e6:
        return number
    complaints.append(f"{key}={text[:40]}: not a number of seconds, taking {default:g}")
    return default
