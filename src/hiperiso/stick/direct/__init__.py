"""Starting an ISO without a hypervisor: its live system under the stick's kernel, or its own kernel through kexec.

::

    tree.py                     the content of the medium: names, sizes, links
    grub.py  menus.py           its boot menus -> entries: kernel, initrds, arguments
    loopboot.py                 arguments with which its initramfs finds its medium inside an ISO file
    live.py                     where its live system may be
    plan.py                     all of it -> ways to start it, best first               (pure up to here)
    perform.py  kexec.py        performs one of them
    boot.py                     one direct boot, recorded
"""
