"""What the guest shows: pictures from QEMU's ``screendump``, decoded to exact text or stored as scenes.

Start at ``watcher.ScreenWatcher``; everything here is pure except ``watcher.read_dump`` and ``fonts.system_fonts``.
"""
