from __future__ import annotations

from dataclasses import replace

from hiperiso.observe.memory import Task, TaskChange, console_text, task_changes

INIT = Task(1, 0, "init", ("/init",), 0.5, "S", False, "rootfs")
SHELL = Task(20, 1, "sh", ("sh",), 2.0, "S", False)


def test_changes_between_two_readings() -> None:
    systemd = replace(INIT, comm="systemd", argv=("/sbin/init",), root_type="overlay")
    getty = Task(20, 1, "agetty", ("agetty",), 9.0, "S", False)  # the same number, another process
    assert task_changes([], [INIT]) == [TaskChange("started", INIT)]
    assert task_changes([INIT, SHELL], [systemd, getty]) == [
        TaskChange("ended", SHELL),
        TaskChange("became", systemd),
        TaskChange("started", getty),
    ]


def test_a_state_is_not_a_change() -> None:
    assert task_changes([SHELL], [replace(SHELL, state="R")]) == []


def test_text_of_cells() -> None:
    cells = b"".join(bytes((code, 7)) for code in b"ab  \xda\xc4\x00\x1b")
    assert console_text(cells, 4) == "ab\n┌─"
