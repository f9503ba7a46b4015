"""What the guest shows: pictures from QEMU's ``screendump``, decoded to exact text or kept as scenes.

Start at ``watcher.ScreenWatcher``; everything here is pure but ``watcher.read_dump`` and ``fonts.system_fonts``.
"""
