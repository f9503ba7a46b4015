"""PID 1: mounts, modules, network, the daemon, and stage 2; the rescue shell when the chain fails.

::

    mount proc sys dev run tmp -> modules -> network (when wanted) -> bootchained -+-> switch_root -> init of stage 2
                                                                  ^  crashed: again '-> rescue shell: why, then again
                                                                  '---------------------------'

Kernel command line, beside what the daemon reads: ``init=`` the init of stage 2, ``ip=`` (see ``network``). The
configuration file of the daemon counts here, too, with two more keys: ``BC_KMSG``, where the records of the chain are
copied to (default ``/dev/kmsg``; empty: nowhere), and ``BC_RESCUE``, what follows a failure: ``shell`` (default),
``reboot`` or ``poweroff``.
"""

# ruff: noqa: PTH100, PTH103, PTH110, PTH120, PTH123, PTH211, SIM105
# (pathlib and contextlib cost more CPU at the start than this module.)

from __future__ import annotations

import os
import signal
import sys

from bootchain.cmdline import Parameters
from bootchain.config import CONFIG_FILE, KEYS, parse, settle
from bootchain.init import rescue, switchroot, system
from bootchain.init.children import Children
from bootchain.init.modules import Modules, probe_asynchronously
from bootchain.init.network import Network, wanted
from bootchain.init.report import KMSG, ChainReport
from bootchain.layout import is_mounted
from bootchain.printable import masked

MOUNTS = (
    ("proc", "/proc", "proc", system.MS_NOSUID | system.MS_NODEV | system.MS_NOEXEC, ""),
    ("sysfs", "/sys", "sysfs", system.MS_NOSUID | system.MS_NODEV | system.MS_NOEXEC, ""),
    ("devtmpfs", "/dev", "devtmpfs", system.MS_NOSUID, "mode=0755"),
    ("devpts", "/dev/pts", "devpts", system.MS_NOSUID | system.MS_NOEXEC, "gid=5,mode=0620"),
    ("tmpfs", "/run", "tmpfs", system.MS_NOSUID | system.MS_NODEV, "mode=0755"),
    ("tmpfs", "/tmp", "tmpfs", system.MS_NOSUID | system.MS_NODEV, "mode=1777"),  # noqa: S108
)
_LINKS = (
    ("/proc/self/fd", "/dev/fd"),
    *((f"/proc/self/fd/{n}", f"/dev/std{w}") for n, w in enumerate(("in", "out", "err"))),
)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CRASHES_ALLOWED = 2
_EXIT_USAGE, _EXIT_INTERNAL = 2, 70
_ON_SIGNAL = {
    signal.SIGTERM: "reboot",
    signal.SIGINT: "reboot",
    signal.SIGUSR1: "halt",
    signal.SIGUSR2: "poweroff",
}
"""What busybox's reboot, halt and poweroff send to process 1; SIGINT is ctrl-alt-del."""


def main(arguments: list[str]) -> int:
    """Be PID 1: does not return, but for the exit code 2 when this is another process."""
    if os.getpid() != 1:
        sys.stderr.write("bootchain-init: this is not process 1\n")
        return _EXIT_USAGE
    Init(arguments).run()
    return 1


def waits_by_itself(parameters: Parameters) -> bool:
    """Whether the chain begins by waiting for a device, as long as it takes, and needs no network before.

    Then the start does not wait until every driver has probed its devices: a controller without drives takes seconds.
    """
    limits = ("waitdev-timeout", "rootdelay")
    if parameters.chain[:1] != ("waitdev",) or any(parameters.last(name) is not None for name in limits):
        return False
    try:
        return not wanted(parameters)
    except ValueError:
        return True


class Init:
    """One boot. ``arguments`` are for the init of stage 2."""

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments
        self._environment = {"PATH": _PATH, "HOME": "/", "TERM": "linux", **os.environ}
        self._cmdline = ""
        self._reason = ""
        self._report: ChainReport | None = None
        self.children = Children(self._asked)

    def run(self) -> None:
        """Boot. Returns never, unless even the rescue shell cannot be had."""
        try:
            self._prepare()
        except Exception as error:  # without a console message this would be a bare kernel panic
            self._reason = f"error in init: {type(error).__name__}: {error}"
            self._show_rescue()
        while True:
            try:
                self._boot()
            except switchroot.SwitchError as error:
                self._reason = str(error)
            except Exception as error:
                self._reason = f"error in init: {type(error).__name__}: {error}"
            if not self._show_rescue():
                self.say("there is no shell to drop to")
                self._leave("reboot" if self._values.get("BC_RESCUE") == "reboot" else "halt")
                return

    def say(self, text: str) -> None:
        """Write one line to the console."""
        try:
            os.write(2, f"bootchain-init: {masked(text)}\n".encode("utf-8", "replace"))
        except OSError:
            pass

    # ── before the chain ──

    def _prepare(self) -> None:
        for name in ("PYTHONPATH", "PYTHONHOME"):
            self._environment.pop(name, None)
        self._environment.setdefault("PATH", _PATH)
        os.environ["PATH"] = self._environment["PATH"]
        self.children.environment = self._environment
        for source, target, kind, flags, options in MOUNTS:
            self._mount(source, target, kind, flags, options)
        for target, link in _LINKS:
            try:
                os.symlink(target, link)
            except OSError:
                pass
        self._cmdline = _read("/proc/cmdline")
        self._parameters = Parameters.parse(self._cmdline)
        self._read_settings()
        self._say_unless_quiet(f"Linux {os.uname().release}, Python {sys.version.split()[0]}")
        modules = Modules(self.children.run, self.say)
        modules.load_list()
        try:
            self.children.watch(modules.listen(), modules.on_uevent)
        except OSError as error:
            self.say(f"devices that are plugged in later get no driver: {error.strerror}")
            modules.coldplug()
        else:
            if waits_by_itself(self._parameters):
                probe_asynchronously()
                modules.coldplug_meanwhile(self.children.spawn)
            else:
                modules.coldplug()
        self._set_up_network()

    def _read_settings(self) -> None:
        self._values, _ = parse(_read(CONFIG_FILE))
        self._values.update((key, os.environ[key]) for key in KEYS if key in os.environ)
        self._settings, _ = settle(
            self._values,
            mode=self._parameters.mode or "native",
            debug=self._parameters.flag("bc_debug"),
            test_name=self._parameters.last("bc_test") or "",
        )

    def _mount(self, source: str, target: str, kind: str, flags: int, options: str) -> None:
        try:
            os.makedirs(target, exist_ok=True)
            if not is_mounted(target):
                system.mount(source, target, kind, flags, options)
        except OSError as error:
            self.say(f"cannot mount {kind} on {target}: {error.strerror}")

    def _set_up_network(self) -> None:
        try:
            plans = wanted(self._parameters)
        except ValueError as error:
            self.say(str(error))
            return
        if plans:
            Network(self.children.run, self.children.pause, self.say).set_up(plans)

    # ── the chain ──

    def _boot(self) -> None:
        """Run the chain and hand over. Returns with a reason when that is not to be; raises SwitchError."""
        if not self._parameters.mode:
            self._reason = "the command line has neither root=bootchain nor root=pipeline"
            return
        settings = self._settings
        # Results and downloads get a file system of their own: it outlives the initramfs, and stage 2 sees it.
        self._mount("bootchain", settings.mntdir, "tmpfs", system.MS_NODEV | system.MS_NOSUID, "mode=0755")
        code = self._run_daemon()
        if code:
            self._reason = self._why(code)
            return
        switchroot.check_root(settings.rootmnt)
        init = switchroot.choose_init(settings.rootmnt, self._parameters.last("init") or "")
        self._say_unless_quiet(f"switching to stage 2: {init} on {settings.rootmnt}")
        signal.set_wakeup_fd(-1)
        switchroot.switch_root(settings.rootmnt, [init, *self._arguments], self._environment)

    def _run_daemon(self) -> int:
        """Run the daemon until it has come to an end of its own, starting it again after a crash.

        Steps that have their result are skipped then, and the log goes on where it ended.
        """
        self._watch_chain()
        for crashes in range(_CRASHES_ALLOWED + 1):
            try:
                code = self.children.wait(self.children.fork(_be_daemon))
            except OSError as error:
                self.say(f"cannot start bootchained: {error.strerror}")
                return 127
            if self._report is not None:
                self._report.copy_news()
            if code >= 0 and code != _EXIT_INTERNAL:
                return code
            how = f"was killed by signal {-code}" if code < 0 else "ended with an internal error"
            again = "starting it again" if crashes < _CRASHES_ALLOWED else "giving up"
            self._log(f"bootchained {how}: {again}")
        return code

    def _watch_chain(self) -> None:
        """Copy the records of the chain to the kernel log as they come."""
        if self._report is not None:
            return
        source = self._settings.chain_log
        target = self._values.get("BC_KMSG", KMSG)
        self._report = report = ChainReport(source, target)
        try:
            os.makedirs(os.path.dirname(source), exist_ok=True)
            os.close(os.open(source, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
            news = system.watch_writes(source)
        except OSError as error:
            self.say(f"cannot watch {source}: {error.strerror}")
            return

        def copy() -> None:
            os.read(news, 65536)
            report.copy_news()

        self.children.watch(news, copy)

    def _why(self, code: int) -> str:
        last = next(iter(rescue.log_tail(self._settings.log_file)[-1:]), "")
        _, found, message = last.partition("] bootchained: ")
        if code > 0 and found:
            return message
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"bootchained {how}"

    def _log(self, text: str) -> None:
        """Say it, and write it to the log of the daemon."""
        self.say(text)
        try:
            with open(self._settings.log_file, "a", encoding="utf-8") as log:
                log.write(f"bootchain-init: {text}\n")
        except OSError:
            pass

    # ── when it fails ──

    def _show_rescue(self) -> bool:
        """Show why, and give a shell until it is left. Returns False when there is none."""
        values = getattr(self, "_values", {})
        settings = getattr(self, "_settings", None)
        log_file = settings.log_file if settings else "/var/log/bootchained.log"
        instead = values.get("BC_RESCUE", "shell")
        if instead in ("reboot", "poweroff"):
            self.say(f"the boot has failed: {self._reason}")
            self._leave(instead)
        text = rescue.explanation(self._reason, log_file)
        os.write(2, text.encode("utf-8", "replace"))
        pid = rescue.start_shell(self._environment)
        if not pid:
            return False
        self.children.wait(pid)
        self.say("running the chain again")
        return True

    def _asked(self, number: int) -> None:
        self._leave(_ON_SIGNAL.get(signal.Signals(number), "reboot"))

    def _leave(self, how: str) -> None:
        os.sync()
        self.children.run(how, "-f")

    def _say_unless_quiet(self, text: str) -> None:
        if "QUIET" not in self._parameters.arrays:
            self.say(text)


def _be_daemon() -> int:
    """The daemon in a process of its own: a fork, since the interpreter is there already."""
    from bootchain.daemon.main import main as daemon

    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    entry = f"{folder}/daemon/__main__.py"
    program = entry if os.path.exists(entry) else f"{entry}c"
    sys.argv = [program]
    # This is how it starts itself again in the foreground.
    sys.orig_argv = [sys.executable or "/usr/bin/python3", "-I", "-S", program]
    return daemon([])


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(1 << 20)
    except OSError:
        return ""
