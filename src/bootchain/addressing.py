"""Addresses of results, pure over a small file system protocol.

==================  =================================================================================
``pipeN/path``      in the result of step N, counted from 0 over the whole chain
``step-N/path``     in the result of the Nth step before the running one
``path``            relative: in the previous result
``/path``           absolute: as it is, if it exists
``.../DEVNAME``     the device that was the result of a step, as a readable ``/dev/node``
``.../dev``         the same device, through the link or node that the step left
==================  =================================================================================

Pseudo-steps have no number, so no address sees them. A path never leaves the result it starts in: neither by
``..`` nor through a link, because a result may be a hostile image. The one link that may is ``dev`` (or
``DEVNAME``) to a device node.

That is :func:`resolve_target`, for our own steps. The function of that name in the shell library is :func:`locate`: it
puts a path together and refuses nothing, for scripts go on to make what is not there yet, or take it as a pattern.
"""

from __future__ import annotations

from bootchain.layout import Layout
from bootchain.nearest import hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class FileSystem(Protocol):
        """What addressing asks of a file system."""

        def kind(self, path: str) -> str:
            """``file dir block char link other``, or ``""`` when missing; does not follow links."""

        def readlink(self, path: str) -> str:
            """The text of a link."""

        def first_line(self, path: str) -> str:
            """The first line of a small file, stripped; ``""`` when it cannot be read."""

        def device_name(self, path: str) -> str:
            """The ``/dev/NAME`` of a device node, by its numbers; ``""`` when the kernel knows none."""

        def realpath(self, path: str) -> str:
            """The path without links, whether it exists or not."""

        def names(self, path: str) -> list[str]:
            """What is in a directory, ``[]`` when it cannot be read."""


DEVICE_FILES = ("DEVNAME", "dev")
_DEVICES = ("block", "char")
_MAX_LINKS = 40


class AddressError(Exception):
    """A target that cannot be given: the message says which and why."""


def resolve_target(target: str, *, number: int, previous: int | None, layout: Layout, fs: FileSystem) -> str:
    """Find what a target names, seen from a step.

    Args:
        number: the running step.
        previous: the step whose result comes before it; None after ``noop`` and for the first step.

    Returns:
        The absolute path of an existing file, directory or device.

    Raises:
        AddressError: nothing is there, or it is forward, out of range or outside.
    """
    if not target:
        raise AddressError("empty target")
    if "\0" in target:
        raise AddressError("target with a NUL byte")
    if target.startswith("/"):
        return _absolute(target, fs)
    base, inside = _base(target, number=number, previous=previous, layout=layout)
    result = _real_directory(base, target, fs)
    parts = [part for part in inside.split("/") if part not in ("", ".")]
    if parts and parts[-1] in DEVICE_FILES:
        directory = _walk(result, parts[:-1], target, fs)
        if fs.kind(f"{directory}/{parts[-1]}") != "dir":
            return _device_of(directory, parts[-1], target, fs)
    return _walk(result, parts, target, fs)


def locate(target: str, *, number: int, previous: int | None, layout: Layout, fs: FileSystem) -> str:
    """Where a target is, or would be: the real path of the result with the rest behind it.

    Args:
        number: the running step.
        previous: the step whose result comes before it; None after ``noop`` and for the first step.

    Returns:
        ``""`` for an address of a step that does not exist. ``DEVNAME`` alone is the device of the previous result.

    Raises:
        AddressError: it is relative, and there is no previous result.
    """
    if target.startswith("/"):
        return target
    head, _, inside = target.partition("/")
    absolute, relative = _count(head, "pipe"), _count(head, "step-")
    if absolute is None and relative is None:
        if previous is None:
            raise AddressError(f"{target}: there is no previous result to look in")
        wanted, inside = previous, target
    else:
        wanted = absolute if absolute is not None else number - (relative or 0)
        if not 0 <= wanted <= number:
            return ""
    base = fs.realpath(layout.destdir(wanted))
    if target == "DEVNAME" and fs.kind(f"{base}/DEVNAME") == "file":
        return fs.first_line(f"{base}/DEVNAME")
    if target == "DEVNAME" and fs.kind(f"{base}/dev"):
        return device_in(base, fs)
    return f"{base}/{inside}" if inside else base


def device_in(directory: str, fs: FileSystem) -> str:
    """The readable ``/dev/node`` that is the result in a directory, ``""`` when there is none."""
    try:
        return resolve_devname(directory, fs)
    except AddressError:
        return ""


def resolve_devname(directory: str, fs: FileSystem) -> str:
    """The readable ``/dev/node`` of the device that is the result in a directory.

    Raises:
        AddressError: there is neither ``DEVNAME`` nor ``dev``, or it is not a device.
    """
    if not directory:
        raise AddressError("no directory given to look for a device in")
    return _device_of(directory.rstrip("/") or "/", "DEVNAME", directory, fs)


def _base(target: str, *, number: int, previous: int | None, layout: Layout) -> tuple[str, str]:
    """The result directory a target starts in, and the rest of it."""
    head, _, inside = target.partition("/")
    absolute, relative = _count(head, "pipe"), _count(head, "step-")
    if absolute is None and relative is None:
        if previous is None:
            raise AddressError(f"{target}: there is no previous result to look in")
        return layout.destdir(previous), target
    wanted = absolute if absolute is not None else number - (relative or 0)
    if wanted < 0:
        raise AddressError(f"{target}: out of range, only {number} step(s) came before this one")
    if wanted >= number:
        what = "is this very step" if wanted == number else "has not run yet"
        raise AddressError(f"{target}: step {wanted} {what} (this is step {number})")
    return layout.destdir(wanted), inside


def _count(head: str, prefix: str) -> int | None:
    digits = head[len(prefix) :] if head.startswith(prefix) else ""
    if not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits) if len(digits) < 10 else 10**9


def _absolute(target: str, fs: FileSystem) -> str:
    if ".." in target.split("/"):
        raise AddressError(f"{target}: an absolute address cannot go up with `..`")
    directory, _, name = target.rpartition("/")
    if name in DEVICE_FILES and fs.kind(target) not in ("", "dir"):
        return _device_of(directory, name, target, fs)
    if not _final_kind(target, fs):
        raise AddressError(f"{target}: no such file, directory or device")
    return target


def _real_directory(base: str, target: str, fs: FileSystem) -> str:
    """The directory of a result, through the links that bypass_results makes."""
    path = base
    for _ in range(_MAX_LINKS):
        kind = fs.kind(path)
        if kind == "dir":
            return path
        if kind != "link":
            break
        link = fs.readlink(path)
        path = link if link.startswith("/") else f"{path.rpartition('/')[0]}/{link}"
    raise AddressError(f"{target}: the result {base} is not there")


def _walk(base: str, parts: list[str], target: str, fs: FileSystem) -> str:
    """Go down from ``base``, following links as long as they stay below it."""
    trail: list[str] = []
    todo = list(reversed(parts))
    links = 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not trail:
                raise AddressError(f"{target}: points outside of {base}")
            trail.pop()
            continue
        path = "/".join((base, *trail, part))
        kind = fs.kind(path)
        if kind == "link":
            links += 1
            link = fs.readlink(path)
            if links > _MAX_LINKS:
                raise AddressError(f"{target}: too many links at {path}")
            if link.startswith("/"):
                raise AddressError(f"{target}: {path} is a link to {link}, outside of {base}")
            todo.extend(reversed(link.split("/")))
            continue
        if not kind:
            raise AddressError(f"{target}: no {path}{hint(part, fs.names('/'.join((base, *trail))))}")
        if kind != "dir" and todo:
            raise AddressError(f"{target}: {path} is not a directory")
        trail.append(part)
    return "/".join((base, *trail))


def _device_of(directory: str, wanted: str, target: str, fs: FileSystem) -> str:
    """The device behind ``DEVNAME`` or ``dev``, whichever the step left; the other one is the fallback."""
    for name in (wanted, *(other for other in DEVICE_FILES if other != wanted)):
        found = _device_file(f"{directory}/{name}", wanted, target, fs)
        if found:
            return found
    there = hint(wanted, fs.names(directory))
    raise AddressError(f"{target}: no device in {directory} (neither DEVNAME nor dev){there}")


def _device_file(path: str, wanted: str, target: str, fs: FileSystem) -> str:
    """The device that one of the two files stands for; ``""`` when there is no such file."""
    kind = fs.kind(path)
    if kind == "file":
        node = fs.first_line(path)
        if not node:
            return "" if wanted == "DEVNAME" else path
        node = node if node.startswith("/") else f"/dev/{node}"
        if not node.startswith("/dev/") or _final_kind(node, fs) not in _DEVICES:
            if wanted == "dev":
                return path
            raise AddressError(f"{target}: {path} names {node}, which is not a device")
        return node
    if kind in _DEVICES:
        return (fs.device_name(path) or path) if wanted == "DEVNAME" else path
    if kind == "link":
        node = fs.readlink(path)
        if not node.startswith("/"):
            node = f"{path.rpartition('/')[0]}/{node}"
        final = _final_kind(node, fs)
        if final not in _DEVICES:
            raise AddressError(f"{target}: {path} is a link to {node}, which is not a device")
        readable = node if node.startswith("/dev/") and "/../" not in node else fs.device_name(node)
        return (readable or path) if wanted == "DEVNAME" else path
    return ""


def _final_kind(path: str, fs: FileSystem) -> str:
    for _ in range(_MAX_LINKS):
        kind = fs.kind(path)
        if kind != "link":
            return kind
        link = fs.readlink(path)
        path = link if link.startswith("/") else f"{path.rpartition('/')[0]}/{link}"
    return ""
