"""What a kernel can have on a data partition: drivers as modules, packed or not, and built in."""

from __future__ import annotations

from pathlib import Path

from hiperlab.payload.filesystems import data_filesystems


def test_modules_and_what_is_built_in(tmp_path: Path) -> None:
    folder = tmp_path / "6.1"
    assert data_filesystems(folder) == []
    for name in ("exfat/exfat.ko", "ntfs/ntfs.ko"):
        path = folder / "kernel/fs" / name
        path.parent.mkdir(parents=True)
        path.touch()
    (folder / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\nkernel/fs/fat/vfat.ko\n")
    assert data_filesystems(folder) == ["exfat", "ext4"]
    (folder / "kernel/fs/ntfs3").mkdir()
    (folder / "kernel/fs/ntfs3/ntfs3.ko.xz").touch()
    assert data_filesystems(folder) == ["exfat", "ext4", "ntfs"]
