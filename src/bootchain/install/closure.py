"""What an initramfs needs to run bootchain: the package, Python with what that imports, and programs of the system.

``python3 closure.py`` prints it, one thing a line with tabs in between, for the hooks of the generators:

===========================  ============================================================================
``file SOURCE TARGET MODE``  to be copied
``exec SOURCE TARGET 755``   the same, with the shared libraries that it needs
``tool NAME``                a program that steps use, where the system has it
``module NAME``              a driver
===========================  ============================================================================
"""

# ruff: noqa: PTH100, PTH112, PTH113, PTH120, PTH208

from __future__ import annotations

import os
import sys

if not __package__:
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from bootchain.daemon.places import PACKAGE
from bootchain.initramfs import files

ALWAYS = (
    *(f"encodings.{name}" for name in ("ascii", "latin_1", "utf_8", "idna", "aliases")),
    *(
        "codecs",
        "io",
        "abc",
        "os",
        "stat",
        "posixpath",
        "genericpath",
        "runpy",
        "ctypes",
        "site",
        "struct",
        "signal",
    ),
)
"""Modules of the standard library that Python needs for itself."""

NEVER = (
    # development
    *("test", "unittest", "pydoc", "doctest", "pdb", "distutils", "lib2to3", "ensurepip", "venv", "idlelib"),
    *("setuptools", "pkg_resources", "pip", "typing_extensions"),
    # what modules of the standard library import for uses that a step has not
    *("tkinter", "turtle", "webbrowser", "readline", "rlcompleter", "sqlite3", "asyncio", "multiprocessing"),
    *("concurrent", "xmlrpc", "http", "email", "ssl", "_ssl", "urllib.request", "ftplib", "netrc", "getpass"),
    "_hashlib",  # OpenSSL's five megabytes; Python has hashes of its own
    *("tarfile", "zipfile", "lzma", "bz2", "decimal", "_pydecimal", "difflib"),
)
"""What is left out, although something imports it."""

TOOLS = (
    *("bash", "mount", "umount", "losetup", "blkid", "modprobe", "switch_root", "curl", "wget", "ip", "ping"),
    *(
        "cat",
        "chmod",
        "chown",
        "cp",
        "date",
        "ln",
        "ls",
        "mkdir",
        "mkfifo",
        "mknod",
        "mv",
        "readlink",
        "rm",
        "rmdir",
    ),
    *(
        "sleep",
        "stat",
        "sync",
        "touch",
        "tr",
        "md5sum",
        "sha1sum",
        "sha256sum",
        "sha512sum",
        "gpgv",
        "openssl",
    ),
    *("mount.nfs", "mount.cifs", "mke2fs", "chvt", "reboot"),
)
MODULES = (
    "loop",
    "squashfs",
    "overlay",
    "isofs",
    "udf",
    "ext4",
    "vfat",
    "exfat",
    "nls_utf8",
    "nls_iso8859_1",
)
_EXTRA = (("/etc/sysconfig/bootchain", 0o644), ("/etc/ssl/certs/ca-certificates.crt", 0o644))
_FOLDERS = (("/lib/bootchain", 0o755), ("/lib/pipeline", 0o755), ("/etc/bootchain/keys", 0o644))
"""Settings, step-scripts and keys of this system's own."""


def lines() -> list[str]:
    """All lines, see the docstring of the module."""
    found = [f"file\t{source}\t{target}\t{mode:o}" for target, source, mode in files()]
    found += _python()
    found += [f"file\t{path}\t{path}\t{mode:o}" for path, mode in _EXTRA if os.path.isfile(path)]
    for folder, mode in _FOLDERS:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if os.path.isfile(f"{folder}/{name}"):
                found.append(f"file\t{folder}/{name}\t{folder}/{name}\t{mode:o}")
    return [*found, *(f"tool\t{name}" for name in TOOLS), *(f"module\t{name}" for name in MODULES)]


def _python() -> list[str]:
    """The interpreter, and the modules that bootchain and its steps import, found by following every import."""
    import modulefinder

    finder = modulefinder.ModuleFinder(path=[os.path.dirname(PACKAGE), *sys.path], excludes=list(NEVER))
    for name in (*ALWAYS, *_own_modules()):
        try:
            finder.import_hook(name)
        except ImportError:
            if name.startswith("bootchain"):
                raise
    for name in sorted(os.listdir(f"{PACKAGE}/steps")):
        if name.endswith(".py"):
            finder.run_script(f"{PACKAGE}/steps/{name}")
    executable = os.path.realpath(sys.executable)
    target = "/usr/bin/python3"
    found = [f"exec\t{executable}\t{executable}\t755", f"link\t{executable}\t{target}\t777"]
    if executable == target:
        found.pop()
    for name, module in sorted(finder.modules.items()):
        path = str(getattr(module, "__file__", None) or "")
        if not path or name == "__main__" or path.startswith(f"{PACKAGE}/"):
            continue
        kind = "exec" if path.endswith(".so") else "file"
        found.append(f"{kind}\t{path}\t{path}\t{'755' if kind == 'exec' else '644'}")
    return found


def _own_modules() -> list[str]:
    """The names of the modules of bootchain, but for the steps, which are scripts, and this installer."""
    names = []
    for folder, _, entries in os.walk(PACKAGE):
        inside = folder.removeprefix(PACKAGE).strip("/").split("/")
        if inside[0] not in ("steps", "install", "__pycache__") and inside[-1] != "__pycache__":
            modules = (entry[:-3] for entry in entries if entry.endswith(".py") and entry != "__main__.py")
            names += [".".join(("bootchain", *filter(None, inside), module)) for module in modules]
    return sorted(name.removesuffix(".__init__") for name in names)


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
