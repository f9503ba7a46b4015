"""The virtual machine: a frozen spec to QEMU argv, firmware lookup, KVM probe, QMP."""
