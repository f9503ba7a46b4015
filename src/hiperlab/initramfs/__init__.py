"""Builds an initramfs with bootchain from packages of the distribution: kernel modules, busybox, bash, Python."""

from hiperlab.initramfs.build import InitramfsSpec, build_initramfs, initramfs_entries
from hiperlab.initramfs.kernel import Kernel, find_kernel

__all__ = ["InitramfsSpec", "Kernel", "build_initramfs", "find_kernel", "initramfs_entries"]
