"""The network for steps that need one: ``ip=`` of the kernel command line, performed with busybox.

===========================================================  ============================================
``ip=dhcp`` (``on any both``)                                ask for an address on every wired interface
``ip=IFACE:dhcp``                                            on this one
``ip=CLIENT:SERVER:GATEWAY:MASK:HOST:IFACE:METHOD:DNS:DNS``  static, or by METHOD; any field may be empty
``ip=off`` (``none``)                                        no network
===========================================================  ============================================

Without ``ip=`` the network is set up by DHCP when a parameter names a host (``getimage=http://...``, ``ping=``).
Source: Documentation/admin-guide/nfs/nfsroot.rst.
"""

# ruff: noqa: PTH110, PTH123, PTH208
# (pathlib costs more CPU at the start than this module.)

from __future__ import annotations

import os
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bootchain.cmdline import Parameters

_DHCP_WORDS = frozenset(("dhcp", "on", "any", "both", "bootp"))
_OFF_WORDS = frozenset(("off", "none", "no"))
_SCHEMES = ("http://", "https://", "ftp://", "tftp://")
_INTERFACE_WAIT_S = 15.0
_DHCP_TIMEOUT_S = 30.0
_ARPHRD_ETHER = "1"
_LEASE_SCRIPT = f"{os.path.dirname(os.path.abspath(__file__))}/udhcpc.sh"  # noqa: PTH100, PTH120


class Wanted:
    """One interface as the command line wants it; ``""`` stands for any interface, and for nothing given."""

    __slots__ = ("address", "dhcp", "gateway", "interface", "mask", "name_servers")

    def __init__(
        self,
        *,
        interface: str = "",
        dhcp: bool = True,
        address: str = "",
        gateway: str = "",
        mask: str = "",
        name_servers: tuple[str, ...] = (),
    ) -> None:
        self.interface = interface
        self.dhcp = dhcp
        self.address = address
        self.gateway = gateway
        self.mask = mask
        self.name_servers = name_servers


def wanted(parameters: Parameters) -> list[Wanted]:
    """What the command line asks for; [] when no network is wanted.

    Raises:
        ValueError: an ``ip=`` that cannot be understood; the message says which.
    """
    values = parameters.arrays.get("IP", [])
    if values:
        return [plan for plan in map(parse_ip, values) if plan is not None]
    needs = "PING" in parameters.arrays or any(
        value.startswith(_SCHEMES) for value in parameters.arrays.get("GETIMAGE", ())
    )
    return [Wanted()] if needs else []


def parse_ip(text: str) -> Wanted | None:
    """One value of ``ip=``; None for ``off``.

    Raises:
        ValueError: it cannot be understood.
    """
    fields = _fields(text)
    if len(fields) == 1:
        word = fields[0].lower()
        if word in _OFF_WORDS:
            return None
        if word in _DHCP_WORDS:
            return Wanted()
        raise ValueError(f"ip={text}: neither dhcp nor off nor an address with its fields")
    if len(fields) == 2 and fields[1].lower() in _DHCP_WORDS:
        return Wanted(interface=_interface(fields[0], text))
    fields += [""] * (9 - len(fields))
    address, _, gateway, mask, _, interface, method, *servers = fields[:9]
    if not address or method.lower() in _DHCP_WORDS:
        if method.lower() in _OFF_WORDS:
            return None
        return Wanted(interface=_interface(interface, text))
    for part in (address, gateway, mask, *servers):
        if part and not set(part.lower()) <= set("0123456789abcdef.:/"):
            raise ValueError(f"ip={text}: {part} is not an address")
    return Wanted(
        interface=_interface(interface, text),
        dhcp=False,
        address=address,
        gateway=gateway,
        mask=mask or "255.255.255.0",
        name_servers=tuple(server for server in servers if server),
    )


class Network:
    """Sets interfaces up.

    Args:
        run: runs a program to its end and returns its exit code.
        pause: lets time pass.
        say: writes one line for people.
    """

    def __init__(
        self, run: Callable[..., int], pause: Callable[[float], None], say: Callable[[str], None]
    ) -> None:
        self._run = run
        self._pause = pause
        self._say = say

    def set_up(self, plans: list[Wanted]) -> bool:
        """Do what is wanted. Returns whether every part of it worked; what did not is said."""
        self._run("ip", "link", "set", "lo", "up")
        done = [self._set_up(plan) for plan in plans]
        return all(done)

    def _set_up(self, plan: Wanted) -> bool:
        interfaces = self._wait_for(plan.interface)
        if not interfaces:
            self._say(f"there is no network interface{' ' if plan.interface else ''}{plan.interface}")
            return False
        for interface in interfaces:
            self._run("ip", "link", "set", interface, "up")
        for interface in interfaces:
            if self._dhcp(interface) if plan.dhcp else self._static(interface, plan):
                self._say(f"the network is up on {interface}")
                return True
        self._say(f"no address on {' '.join(interfaces)}")
        return False

    def _wait_for(self, name: str) -> list[str]:
        deadline_s = monotonic() + _INTERFACE_WAIT_S
        while True:
            found = [interface for interface in wired_interfaces() if name in ("", interface)]
            if found or monotonic() > deadline_s:
                return found
            self._pause(0.1)

    def _dhcp(self, interface: str) -> bool:
        argv = ["udhcpc", "-i", interface, "-f", "-q", "-n", "-t", "8", "-T", "2", "-s", _LEASE_SCRIPT]
        return self._run(*argv, timeout_s=_DHCP_TIMEOUT_S) == 0

    def _static(self, interface: str, plan: Wanted) -> bool:
        slash = "" if "/" in plan.address else f"/{plan.mask}"
        if self._run("ip", "addr", "add", f"{plan.address}{slash}", "dev", interface):
            return False
        if plan.gateway and self._run("ip", "route", "add", "default", "via", plan.gateway, "dev", interface):
            return False
        if plan.name_servers:
            with open("/etc/resolv.conf", "w", encoding="ascii") as file:
                file.writelines(f"nameserver {server}\n" for server in plan.name_servers)
        return True


def wired_interfaces(root: str = "/sys/class/net") -> list[str]:
    """The names of interfaces that are Ethernet devices, sorted; no bridges and the like."""
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return []
    return [name for name in names if _is_device(f"{root}/{name}")]


def _is_device(path: str) -> bool:
    try:
        with open(f"{path}/type", encoding="ascii") as file:
            return file.read(16).strip() == _ARPHRD_ETHER and os.path.exists(f"{path}/device")
    except OSError:
        return False


def _fields(text: str) -> list[str]:
    """Split at colons, but for those inside ``[...]`` (IPv6)."""
    fields, depth = [""], 0
    for char in text:
        if char == "[":
            depth += 1
        elif char == "]":
            depth = max(0, depth - 1)
        elif char == ":" and not depth:
            fields.append("")
        else:
            fields[-1] += char
    return fields


def _interface(name: str, text: str) -> str:
    if len(name) > 15 or "/" in name or name.startswith("-") or any(char.isspace() for char in name):
        raise ValueError(f"ip={text}: {name} is not the name of an interface")
    return name
