"""The guests of the samples: what their initramfs does once the kernel has started ``/init``."""

from __future__ import annotations

from hiperlab.debian.packages import INITRAMFS_TOOLS_INIT, INITRAMFS_TOOLS_SCRIPTS
from hiperlab.samples.model import Initramfs, SystemRoot

_ACCOUNTS = "root::0:0:root:/root:/bin/sh\n"
_GROUP = "root:x:0:\ntty:x:5:\n"
_ISSUE = "Sample Linux 1.0 \\n \\l\n\n"
_MOUNTS = """\
::sysinit:/bin/mount -t devtmpfs dev /dev
::sysinit:/bin/mount -t proc proc /proc
::sysinit:/bin/mount -t sysfs sys /sys
::sysinit:/bin/hostname -F /etc/hostname
"""
_SCRIPT_HEAD = """\
#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
"""


def busybox_system(*inittab: str) -> Initramfs:
    """Returns a small system: busybox as init with these lines of inittab, a hostname, a root without a password."""
    return Initramfs(
        files={
            "etc/passwd": _ACCOUNTS,
            "etc/group": _GROUP,
            "etc/issue": _ISSUE,
            "etc/hostname": "sample\n",
            "etc/inittab": _MOUNTS + "".join(f"{line}\n" for line in inittab),
        },
        links={"init": "bin/busybox"},
    )


GETTY_SERIAL = "ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100"
GETTY_SCREEN = "tty1::respawn:/sbin/getty 38400 tty1 linux"
LOGIN = busybox_system(GETTY_SERIAL, GETTY_SCREEN)
LOGIN_SCREEN_ONLY = busybox_system(GETTY_SCREEN)
POWEROFF = busybox_system(
    "::sysinit:/bin/echo sample: work is done",
    "::wait:/bin/sleep 2",
    "::once:/sbin/poweroff",
    "::shutdown:/bin/sync",
)
HALT = busybox_system("::wait:/bin/sleep 2", "::once:/sbin/halt", "::shutdown:/bin/sync")


def script(body: str) -> Initramfs:
    """Returns an initramfs whose ``/init`` is this shell script, with /proc and /sys mounted."""
    return Initramfs(files={"init": _SCRIPT_HEAD + body})


SYSRQ_CRASH = script("sleep 1\necho 1 > /proc/sys/kernel/sysrq\necho c > /proc/sysrq-trigger\nsleep 60\n")
INIT_EXITS = script("echo sample: init leaves\nexit 1\n")
REBOOTS = script("echo sample: restarting\nsleep 1\nreboot -f\n")
HANGS = script("exec sleep 1000000000\n")

DRACUT_LIKE_SHELL = script(
    """\
echo 'Warning: /dev/disk/by-label/SAMPLE_LIVE does not exist'
echo
echo 'Generating "/run/initramfs/rdsosreport.txt"'
echo
echo 'Entering emergency mode. Exit the shell to continue.'
echo 'Type "journalctl" to view system logs.'
echo
while :; do PS1='dracut:/# ' setsid cttyhack sh -i; done
"""
)

EMERGENCY_SHELL = script(
    """\
echo 'Begin: Running /scripts/local-premount ... done.'
echo 'Begin: Waiting for root file system ... done.'
echo 'Gave up waiting for root file system device.  Common problems:'
echo ' - Boot args (cat /proc/cmdline)'
echo '   - Check rootdelay= (did the system wait long enough?)'
echo ' - Missing modules (cat /proc/modules; ls /dev)'
echo 'ALERT!  UUID=5a4d504c-0000-4000-8000-000000000001 does not exist.  Dropping to a shell!'
while :; do PS1='(initramfs) ' setsid cttyhack sh -i; done
"""
)


def _order(folder: str, *scripts: str) -> str:
    """Returns an ORDER file, as mkinitramfs writes it into each directory of scripts."""
    after = "[ -e /conf/param.conf ] && . /conf/param.conf"
    return "".join(f'/scripts/{folder}/{script} "$@"\n{after}\n' for script in scripts)


INITRAMFS_TOOLS = Initramfs(
    # The real init and scripts of initramfs-tools on busybox; conf/ is as written by mkinitramfs.
    files={
        "conf/arch.conf": "DPKG_ARCH=amd64\n",
        "conf/initramfs.conf": "MODULES=most\nBUSYBOX=y\nKEYMAP=n\nBOOT=local\nRUNSIZE=10%\n",
        "conf/conf.d/sample": "# nothing to add\n",
        "scripts/init-top/ORDER": _order("init-top", "all_generic_ide", "blacklist", "keymap"),
        "scripts/local-premount/ORDER": _order("local-premount", "resume"),
        "etc/fstab": "",
        "etc/mtab": "",
    },
    trees={"init": INITRAMFS_TOOLS_INIT, "scripts": INITRAMFS_TOOLS_SCRIPTS},
)

_PAM = {
    # as written by pam-auth-update
    "etc/pam.d/common-auth": "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\n"
    "auth required pam_permit.so\n",
    "etc/pam.d/common-account": "account required pam_unix.so\n",
    "etc/pam.d/common-password": "password required pam_unix.so\n",
    "etc/pam.d/common-session": "session required pam_unix.so\n",
    "etc/pam.d/common-session-noninteractive": "session required pam_unix.so\n",
}
SYSTEMD = SystemRoot(
    # No maintainer script runs, so their results are here: accounts, PAM, the enabled getty.
    packages=(
        "systemd-sysv",
        "udev",
        "dbus",
        "login",
        "util-linux",
        "kmod",
        "bash",
        "coreutils",
        "libpam-modules",
    ),
    files={
        **_PAM,
        "etc/passwd": _ACCOUNTS.replace("/bin/sh", "/bin/bash")
        + "messagebus:x:101:101::/nonexistent:/usr/sbin/nologin\n",
        "etc/group": _GROUP + "messagebus:x:101:\n",
        "etc/shadow": "root::19000:0:99999:7:::\n",
        "etc/hostname": "sample\n",
        "etc/fstab": "",
        "etc/machine-id": "5a4d504c000040008000000000000001\n",
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    },
    links={
        "init": "usr/lib/systemd/systemd",
        "etc/systemd/system/default.target": "/lib/systemd/system/multi-user.target",
        "etc/systemd/system/getty.target.wants/getty@tty1.service": "/lib/systemd/system/getty@.service",
    },
)
