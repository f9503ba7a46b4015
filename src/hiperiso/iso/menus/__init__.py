"""Boot menus on a medium: GRUB, syslinux and systemd-boot, as entries."""
