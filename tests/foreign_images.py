"""Images as other people make them: by live-build, dracut, GRUB's and the file systems' own tools. Each is built once.

::

    text         live-build with its defaults, without anything graphical; menus without a time limit
    desktop      the same with lightdm and openbox; logs in automatically
    greeter      the same, whose menus start it without live-config: lightdm's greeter waits
    crash        its display manager crashes at each start
    no-driver    its X server finds no driver
    black        its greeter draws nothing
    no-greeter   its greeter's program is missing
    login-loop   no display manager; the user whom getty logs in does not exist
    dracut       a root file system in a squashfs, started by dracut's dmsquash-live; GRUB's menu without a time limit
    cloud-init   a bootstrapped system with cloud-init in a squashfs, started by live-boot; GRUB starts it at once
    disk         a raw disk: GPT, ESP, an ext4 root; GRUB under both firmwares
    installer    Debian's installer with its own menus, without a time limit: ISOLINUX and GRUB; a hybrid
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from pathlib import Path
from typing import Final

from bootstrapped import enter, made_once, mirror, run

_LIVE: Final = "live-boot live-config live-config-systemd systemd-sysv user-setup sudo"
_DESKTOP: Final = (
    f"{_LIVE} lightdm lightdm-gtk-greeter openbox xserver-xorg-core xserver-xorg-video-all "
    "xserver-xorg-input-all xterm"
)
_DRIVERS: Final = ("amdgpu", "ati", "fbdev", "modesetting", "nouveau", "radeon", "vesa", "vmware")
_GREETER: Final = "usr/sbin/lightdm-gtk-greeter"
_SYSTEM: Final = "systemd-sysv,udev,kmod,ca-certificates,iproute2,procps,dbus,zstd"
_SECTOR: Final = 512
_CORE_LBA: Final = 2048
_ESP_LBA: Final = 4096
_ESP_MB: Final = 64
_ROOT_MB: Final = 1500

_UNITS: Final = "etc/systemd/system"
_AUTOLOGIN: Final = f"{_UNITS}/getty@tty1.service.d/zz.conf"
_LOGS_IN: Final = "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin {} --noclear %I $TERM\n"

OVERLAYS: Final[dict[str, dict[str, str]]] = {
    "greeter": {},
    "crash": {"usr/sbin/lightdm": "#!/bin/sh\nkill -SEGV $$\n"},
    "no-driver": {f"usr/lib/xorg/modules/drivers/{name}_drv.so": "" for name in _DRIVERS},
    "black": {_GREETER: "#!/bin/sh\nexec sleep 100000\n"},
    "no-greeter": {_GREETER: ""},
    "login-loop": {f"{_UNITS}/display-manager.service": "", _AUTOLOGIN: _LOGS_IN.format("nosuchuser")},
}
"""Files over the live system, by variant; one without content is missing there."""


def text_iso() -> Path:
    """The live ISO without anything graphical."""
    return made_once("text.iso", lambda new: _build_live(_LIVE, new))


def desktop_iso(variant: str = "desktop") -> Path:
    """The live ISO with a desktop, or a variant of it."""
    if variant == "desktop":
        return made_once("desktop.iso", lambda new: _build_live(_DESKTOP, new))
    return made_once(f"desktop-{variant}.iso", lambda new: _change(desktop_iso(), OVERLAYS[variant], new))


def dracut_iso() -> Path:
    """The live ISO that dracut starts."""
    return made_once("dracut.iso", _build_dracut)


def cloud_init_iso() -> Path:
    """The live ISO whose system runs cloud-init, as the ISOs of server installers do."""
    return made_once("cloud-init.iso", _build_cloud_init)


def raw_disk() -> Path:
    """The raw disk."""
    return made_once("disk.img", _build_disk)


def installer_iso(kind: str) -> Path:
    """The installer's ISO, ``text`` or ``gtk`` (graphical), made of its netboot package."""
    return made_once(f"installer-{kind}.iso", lambda new: _build_installer(kind, new))


def _build_live(packages: str, new: Path) -> None:
    archive = mirror()
    with tempfile.TemporaryDirectory(dir=new.parent) as folder:
        work = Path(folder)
        argv = ["lb", "config", "--distribution", "bookworm", "--archive-areas", "main"]
        argv += [word for part in ("bootstrap", "chroot", "binary") for word in (f"--mirror-{part}", archive)]
        argv += [
            word
            for option in (
                *("security", "updates", "backports", "apt-indices", "firmware-chroot", "firmware-binary"),
                "apt-recommends",
            )
            for word in (f"--{option}", "false")
        ]
        argv += ["--debootstrap-options", "--variant=minbase", "--debian-installer", "none"]
        run(*argv, "--memtest", "none", "--binary-images", "iso-hybrid", "--compression", "gzip", cwd=work)
        lists = work / "config" / "package-lists"
        lists.mkdir(parents=True, exist_ok=True)
        (lists / "live.list.chroot").write_text(f"{packages}\n")
        run("lb", "build", cwd=work)
        (made,) = work.glob("*.iso")
        shutil.move(made, new)


def _change(base: Path, files: dict[str, str], new: Path) -> None:
    """The ISO with another layer over its system, and with menus that start it without live-config."""
    with tempfile.TemporaryDirectory(dir=new.parent) as folder:
        work = Path(folder)
        updates: list[object] = []
        for path in ("isolinux/live.cfg", "boot/grub/grub.cfg"):
            here = work / path.replace("/", "-")
            run("osirrox", "-indev", base, "-extract", f"/{path}", here)
            here.chmod(0o644)
            here.write_text(here.read_text().replace("boot=live components", "boot=live nocomponents"))
            updates += ["-update", here, f"/{path}"]
        layer = work / "layer"
        layer.mkdir()
        missing = work / "missing"
        missing.write_text("".join(f"{name} c 000 0 0 0 0\n" for name, text in files.items() if not text))
        for name, text in files.items():
            (layer / name).parent.mkdir(parents=True, exist_ok=True)
            if text:
                (layer / name).write_text(text)
                (layer / name).chmod(0o755)
        squashfs = work / "zz.squashfs"
        run("mksquashfs", layer, squashfs, "-all-root", "-quiet", "-no-progress", "-pf", missing)
        updates += ["-update", squashfs, "/live/zz.squashfs"]
        run("xorriso", "-indev", base, "-outdev", new, "-boot_image", "any", "replay", *updates)


def _system(packages: str) -> Path:
    """A bootstrapped system with a kernel and these packages; root has no password."""

    def make(new: Path) -> None:
        run("debootstrap", "--variant=minbase", f"--include={_SYSTEM}", "bookworm", new, mirror())
        install = (
            f"apt-get update -qq; apt-get install -qq -y --no-install-recommends {packages} linux-image-amd64"
        )
        enter(new, f"{install}; passwd -d root")
        (new / "etc/hostname").write_text("foreign\n")

    return made_once(f"system-{packages.replace(' ', '-')}", make)


def _build_dracut(new: Path) -> None:
    root = _system("dracut dracut-live dracut-config-generic squashfs-tools")
    (release,) = (path.name for path in (root / "lib/modules").iterdir())
    enter(root, f"dracut --force --no-hostonly --add dmsquash-live /boot/live.img {release}")
    with tempfile.TemporaryDirectory(dir=new.parent) as folder:
        tree, inner = Path(folder) / "tree", Path(folder) / "inner"
        for path in (tree / "LiveOS", tree / "boot/grub", inner / "LiveOS"):
            path.mkdir(parents=True)
        system = inner / "LiveOS/rootfs.img"
        _ext4(system, root, "live-rw")
        run("mksquashfs", inner, tree / "LiveOS/squashfs.img", "-comp", "zstd", "-quiet", "-no-progress")
        shutil.copyfile(root / f"boot/vmlinuz-{release}", tree / "boot/vmlinuz")
        shutil.copyfile(root / "boot/live.img", tree / "boot/initrd.img")
        start = "linux /boot/vmlinuz root=live:CDLABEL=DRACUT_LIVE rd.live.image quiet"
        (tree / "boot/grub/grub.cfg").write_text(
            f"insmod all_video\nmenuentry 'Start the live system' {{\n  {start}\n  initrd /boot/initrd.img\n}}\n"
            f"menuentry 'Basic graphics' {{\n  {start} nomodeset\n  initrd /boot/initrd.img\n}}\n"
        )
        run("grub-mkrescue", "-o", new, tree, "--", "-volid", "DRACUT_LIVE")


def _build_cloud_init(new: Path) -> None:
    root = _system("initramfs-tools live-boot cloud-init")
    (release,) = (path.name for path in (root / "lib/modules").iterdir())
    with tempfile.TemporaryDirectory(dir=new.parent) as folder:
        tree = Path(folder) / "tree"
        for path in (tree / "live", tree / "boot/grub"):
            path.mkdir(parents=True)
        squashfs = tree / "live/filesystem.squashfs"
        run(
            "mksquashfs", root, squashfs, "-comp", "zstd", "-quiet", "-no-progress", "-e", "boot", "var/cache"
        )
        shutil.copyfile(root / f"boot/vmlinuz-{release}", tree / "live/vmlinuz")
        shutil.copyfile(root / f"boot/initrd.img-{release}", tree / "live/initrd.img")
        (tree / "boot/grub/grub.cfg").write_text(
            "linux /live/vmlinuz boot=live console=tty0 console=ttyS0,115200\ninitrd /live/initrd.img\nboot\n"
        )
        run("grub-mkrescue", "-o", new, tree)


def _build_installer(kind: str, new: Path) -> None:
    """As a mini.iso is laid out: ISOLINUX beside the package's directory, an EFI boot image with GRUB."""
    with tempfile.TemporaryDirectory(dir=new.parent) as folder:
        tree = Path(folder) / "tree"
        source = Path("/usr/lib/debian-installer/images/12/amd64") / kind / "debian-installer"
        shutil.copytree(source, tree / "debian-installer")
        shutil.copyfile("/usr/lib/ISOLINUX/isolinux.bin", tree / "isolinux.bin")
        screens = tree / "debian-installer/amd64/boot-screens"
        shutil.copyfile(screens / "ldlinux.c32", tree / "ldlinux.c32")
        shutil.copyfile(screens / "splash.png", tree / "splash.png")
        shutil.copyfile(screens / "syslinux.cfg", tree / "isolinux.cfg")
        early = Path(folder) / "early.cfg"
        early.write_text(
            "search --file --set=root /debian-installer/amd64/linux\nset prefix=($root)/debian-installer/amd64/grub\n"
        )
        modules = (
            "iso9660",
            "part_gpt",
            "part_msdos",
            "fat",
            "normal",
            "search",
            "search_fs_file",
            "configfile",
        )
        grub = Path(folder) / "grub.efi"
        run(
            "grub-mkimage",
            "-O",
            "x86_64-efi",
            "-p",
            "/debian-installer/amd64/grub",
            "-c",
            early,
            "-o",
            grub,
            *modules,
        )
        esp = tree / "efi.img"
        run("mkfs.vfat", "-C", esp, 4 << 10)
        run("mmd", "-i", esp, "::/EFI", "::/EFI/BOOT")
        run("mcopy", "-i", esp, grub, "::/EFI/BOOT/BOOTX64.EFI")
        argv = ["xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-V", "DEBIAN_INSTALLER"]
        argv += ["-isohybrid-mbr", "/usr/lib/ISOLINUX/isohdpfx.bin", "-c", "boot.cat"]
        argv += ["-b", "isolinux.bin", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]
        argv += ["-eltorito-alt-boot", "-e", "efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat"]
        run(*argv, "-o", new, tree)


def _ext4(image: Path, root: Path, label: str) -> None:
    with image.open("wb") as file:
        file.truncate(_ROOT_MB << 20)
    run("mkfs.ext4", "-q", "-L", label, "-d", root, image)


def _build_disk(new: Path) -> None:
    root = _system("initramfs-tools")
    (release,) = (path.name for path in (root / "lib/modules").iterdir())
    (root / "etc/fstab").write_text("LABEL=DISKROOT / ext4 defaults 0 1\n")
    (root / "boot/grub").mkdir(exist_ok=True)
    (root / "boot/grub/grub.cfg").write_text(
        "insmod all_video\nset timeout=3\nmenuentry 'Debian' {\n"
        f"  linux /boot/vmlinuz-{release} root=LABEL=DISKROOT ro quiet\n  initrd /boot/initrd.img-{release}\n}}\n"
    )
    with tempfile.TemporaryDirectory(dir=new.parent) as folder:
        work = Path(folder)
        (work / "early.cfg").write_text(
            "search --no-floppy --label --set=root DISKROOT\nset prefix=($root)/boot/grub\n"
            "configfile /boot/grub/grub.cfg\n"
        )
        modules = ("part_gpt", "ext2", "normal", "linux", "search", "search_label", "configfile", "all_video")
        make = ("grub-mkimage", "-p", "/boot/grub", "-c", work / "early.cfg")
        run(*make, "-O", "i386-pc", "-o", work / "core.img", "biosdisk", *modules)
        run(*make, "-O", "x86_64-efi", "-o", work / "grub.efi", "fat", *modules)
        _ext4(work / "root.img", root, "DISKROOT")
        esp = work / "esp.img"
        run("mkfs.vfat", "-C", esp, _ESP_MB << 10)
        run("mmd", "-i", esp, "::/EFI", "::/EFI/BOOT")
        run("mcopy", "-i", esp, work / "grub.efi", "::/EFI/BOOT/BOOTX64.EFI")
        with new.open("wb") as file:
            file.truncate((_ROOT_MB + _ESP_MB + 8) << 20)
        esp_end, root_at = _ESP_LBA + (_ESP_MB << 11) - 1, _ESP_LBA + (_ESP_MB << 11)
        parts = (f"1:{_CORE_LBA}:{_ESP_LBA - 1}", f"2:{_ESP_LBA}:{esp_end}", f"3:{root_at}:+{_ROOT_MB}M")
        types = zip(("1:ef02", "2:ef00", "3:8300"), parts, strict=True)
        run("sgdisk", "-a", "1", *(word for kind, part in types for word in ("-n", part, "-t", kind)), new)
        _write_at(new, _ESP_LBA, esp)
        _write_at(new, root_at, work / "root.img")
        _write_grub(new, (work / "core.img").read_bytes())


def _write_grub(disk: Path, core: bytes) -> None:
    """GRUB's boot sector, and its core in the partition for it. Source: grub-core/boot/i386/pc/boot.S, diskboot.S."""
    sector = bytearray(Path("/usr/lib/grub/i386-pc/boot.img").read_bytes()[:_SECTOR])
    struct.pack_into("<Q", sector, 0x5C, _CORE_LBA)
    sector[0x66:0x68] = b"\x90\x90"
    patched = bytearray(core)
    # where the rest of the core is: its first sector, how many, and the segment that they are loaded to
    struct.pack_into("<QHH", patched, _SECTOR - 12, _CORE_LBA + 1, (len(core) - 1) // _SECTOR, 0x820)
    with disk.open("r+b") as file:
        sector[0x1B8:] = file.read(_SECTOR)[0x1B8:]
        file.seek(0)
        file.write(sector)
        file.seek(_CORE_LBA * _SECTOR)
        file.write(patched)


def _write_at(disk: Path, lba: int, part: Path) -> None:
    run(
        "dd",
        f"if={part}",
        f"of={disk}",
        "bs=1M",
        f"seek={lba * _SECTOR}",
        "oflag=seek_bytes",
        "conv=notrunc,sparse",
    )
