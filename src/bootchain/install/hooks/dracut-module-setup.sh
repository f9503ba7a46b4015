#!/bin/bash
# The module `bootchain` of dracut. Written by `python3 -m bootchain install`.

check() {
	command -v python3 >/dev/null || return 1
	return 0
}

depends() {
	# The network where dracut can set it up here.
	if command -v dhclient >/dev/null || command -v NetworkManager >/dev/null; then
		echo network
	fi
	return 0
}

installkernel() {
	instmods loop squashfs overlay isofs udf ext4 vfat exfat nls_utf8 nls_iso8859_1 sr_mod cdrom usb-storage uas
	instmods sd_mod ahci xhci-pci ehci-pci virtio_pci virtio_blk virtio_scsi virtio_net e1000 e1000e r8169
}

install() {
	local kind source target mode path
	while IFS=$'\t' read -r kind source target mode; do
		case "$kind" in
		file)
			mkdir -p "$initdir${target%/*}"
			cp "$source" "$initdir$target"
			chmod "$mode" "$initdir$target"
			;;
		link)
			mkdir -p "$initdir${target%/*}"
			ln -sf "$source" "$initdir$target"
			;;
		exec) inst "$source" "$target" ;;
		tool) ! path="$(command -v "$source")" || inst "$path" ;;
		esac
	done < <(python3 -I "$moddir/bootchain/install/closure.py")
	mkdir -p "$initdir/etc/initrd" "$initdir/.initrd" "$initdir/bc-root" "$initdir/var/log"
	inst_multiple tail grep sed
	inst_hook cmdline 30 "$moddir/bootchain-cmdline.sh"
	inst_hook mount 50 "$moddir/bootchain-mount.sh"
	if dracut_module_included systemd; then
		inst_script "$moddir/bootchain-generator.sh" "${systemdutildir:-/usr/lib/systemd}/system-generators/bootchain-generator"
	fi
}
