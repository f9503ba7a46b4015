#!/bin/bash
# Install hook of mkinitcpio: HOOKS=(base udev modconf block bootchain ...). Written by `python3 -m bootchain install`.

build() {
	local here kind source target mode path
	here="$(dirname "${BASH_SOURCE[0]}")/../bootchain"
	while IFS=$'\t' read -r kind source target mode; do
		case "$kind" in
		file) add_file "$source" "$target" "$mode" ;;
		link) add_symlink "$target" "$source" ;;
		exec) add_binary "$source" "$target" "$mode" ;;
		tool) ! path="$(command -v "$source")" || add_binary "$path" ;;
		module) add_module "$source" ;;
		esac
	done < <(python3 -I "$here/bootchain/install/closure.py")
	add_dir /etc/initrd
	add_dir /.initrd
	add_dir /bc-root
	add_dir /var/log
	add_runscript
}

help() {
	cat <<'END'
Boots with root=bootchain or root=pipeline: the chain of steps that bootchain= names mounts the root.
END
}
