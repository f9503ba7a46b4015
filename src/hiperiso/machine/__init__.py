"""The virtual machine: settings and facts to frozen parts, parts to QEMU's argv; firmware lookup, KVM probe, QMP."""
