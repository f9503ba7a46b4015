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
``BC_ROOT``               a directory for what steps mount outside of mntdir, default ``/bc-root``; made when missing
``BC_INITENV``            the boot parameters as shell assignments, default ``/.initrd/initenv``; made when missing
``BC_DEVICE_TIMEOUT``     seconds to wait for a device, default 60 (180)
========================  ======================================================================================

The names in parentheses are the defaults in pipeline mode. Other programs keep their own keys in the same file. A
key in the environment of the daemon wins over the file. Steps get every key as a variable.
"""

from __future__ import annotations

from bootchain.chain import NATIVE, RETRY_DELAY_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_FILE = "/etc/sysconfig/bootchain"
INITENV = "/.initrd/initenv"
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
    "BC_ROOT",
    "BC_INITENV",
)
DEVICE_TIMEOUT_S = {"native": 60.0, "pipeline": 180.0}
"""How long a step waits for a device, unless waitdev-timeout= or rootdelay= say otherwise."""


def parse(text: str, known: Mapping[str, str] | None = None) -> tuple[dict[str, str], list[str]]:
    """Read KEY=VALUE lines: ``#`` comments, ``export``, quotes, backslashes, ``$N ${N} ${N:-x}``.

    Args:
        known: variables to expand beside those set further up in the text.

    Returns:
        The values, and one complaint for each line that is not an assignment. A value with a command in it
        (``$(...)``) is for the shell alone: it is left out, with a complaint.
    """
    values: dict[str, str] = {}
    names = {} if known is None else dict(known)
    complaints = []
    for count, line in enumerate(text.splitlines(), 1):
        stripped = line.strip().removeprefix("export ").lstrip()
        if not stripped or stripped.startswith("#"):
            continue
        key, equals, rest = stripped.partition("=")
        if not equals or not key.isidentifier() or not key.isascii():
            complaints.append(f"line {count}: not KEY=VALUE: {line.strip()[:80]}")
            continue
        try:
            value = _unquote(rest, names)
        except _Command:
            complaints.append(f"line {count}: {key} takes a command to read: only steps get it")
            continue
        if value is None:
            complaints.append(f"line {count}: unfinished quotes in {key}")
            continue
        values[key] = names[key] = value
    return values, complaints


class _Command(Exception):
    """A value is the output of a command."""


def _unquote(text: str, names: Mapping[str, str]) -> str | None:
    """The first shell word of a text, expanded; None when a quote stays open."""
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
        elif char in "$`":
            expanded, i = _expand(text, i, names)
            word.append(expanded)
            continue
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


def _expand(text: str, start: int, names: Mapping[str, str]) -> tuple[str, int]:
    """The value of the variable at ``start``, and the position behind it. Raises _Command."""
    if text[start] == "`" or text.startswith("$(", start):
        raise _Command
    braced = text.startswith("${", start)
    at = start + (2 if braced else 1)
    end = at
    while end < len(text) and (text[end].isalnum() or text[end] == "_") and text[end].isascii():
        end += 1
    name = text[at:end]
    if not name or name[0].isdigit():
        return "$", start + 1
    if not braced:
        return names.get(name, ""), end
    close, depth = end, 1
    while close < len(text):
        depth += (text[close] == "{") - (text[close] == "}")
        if not depth:
            break
        close += 1
    rest = text[end:close]
    value = names.get(name)
    if rest[:2] == ":-" or rest[:1] == "-":
        if value is None or (rest[0] == ":" and not value):
            value = _unquote(f'"{rest.partition("-")[2]}"', names)
    elif rest:
        return text[start : close + 1], close + 1
    return value or "", close + 1


class ChainSettings:
    """How one daemon works; made by :func:`settle`. Paths are absolute, times in seconds."""

    __slots__ = (
        "bc_root",
        "chain_log",
        "config_file",
        "debug",
        "fg_delay_s",
        "fg_terminal",
        "handlerdir",
        "initenv",
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
    bc_root: str
    config_file: str
    handlerdir: str
    initenv: str
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
) -> tuple[ChainSettings, list[str]]:
    """Fill in the defaults of a mode.

    Returns:
        The settings, and one complaint for each value that is not usable (its default is taken).
    """
    complaints: list[str] = []
    native = mode == NATIVE
    made = ChainSettings()
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
    made.config_file = CONFIG_FILE
    made.handlerdir = f"/lib/{'bootchain' if native else 'pipeline'}"
    made.bc_root = (values.get("BC_ROOT") or "/bc-root").rstrip("/") or "/bc-root"
    made.initenv = values.get("BC_INITENV", INITENV)
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
