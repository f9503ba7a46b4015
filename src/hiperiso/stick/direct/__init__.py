"""Starting an ISO without a hypervisor: its live system under the stick's kernel, or its own kernel through kexec.

::

    tree.py                     what is on the medium: names, sizes, links
    grub.py  menus.py           its boot menus -> entries: kernel, initrds, arguments
    loopboot.py                 what its initramfs has to be told to find its medium inside an ISO file
    live.py                     where its live system may be
    plan.py                     all of it -> ways to start it, the best first               (pure up to here)
    perform.py  kexec.py        performs one of them
    boot.py                     one direct boot, recorded
"""
