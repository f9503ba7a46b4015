"""Small systems of boards: Zephyr, NuttX, RT-Thread, xv6, ESP-IDF: their starts, prompts and crashes.

Sources: the documentation of Zephyr (fatal errors, shell), NuttX (NSH, assertions), RT-Thread (FinSH, exceptions),
ESP-IDF (fatal errors) and xv6.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Signature
from hiperiso.analysis.signatures.system_rows import started, stopped
from hiperiso.contract.words import BootStage, EndReason, FindingKind

SIGNATURES: Final = (
    started(
        r"^\*{3} Booting Zephyr OS ",
        ("Booting Zephyr OS",),
        "*** Booting Zephyr OS build v3.5.0 ***",
        unlike="Booting Zephyr OS is easy",
        family="Zephyr",
    ),
    started(
        r"^NuttShell \(NSH\)",
        ("NuttShell",),
        "NuttShell (NSH) NuttX-12.4.0",
        unlike="a NuttShell",
        family="NuttX",
    ),
    started(
        r"^- RT - {1,8}Thread (?:Smart )?Operating System",
        ("Thread Operating System", "Thread Smart Operating"),
        "- RT -     Thread Operating System",
        unlike="Thread Operating System",
        family="RT-Thread",
    ),
    started(
        r"^xv6 kernel is booting|^xv6\.{3}$",
        ("xv6",),
        "xv6 kernel is booting",
        unlike="xv6 is for students",
        family="xv6",
    ),
    Signature(
        pattern=r"^(?:msh (?:/\S{0,60})?>|finsh ?(?:/\S{0,60})?>|nsh> ?|uart:~\$ ?|esp32?> ?)(?:$|\w)",
        literals=("msh ", "finsh", "nsh>", "uart:~$", "esp>", "esp32>"),
        examples=("msh />", "nsh> uname -a", "uart:~$ kernel version"),
        unlike="msh is a shell",
        stage=BootStage.LOGIN,
        kind=FindingKind.SHELL_PROMPT,
        summary="a shell prompt appeared",
        effect=Effect.SHELL,
        reason=EndReason.EXPECTED_STAGE,
    ),
    stopped(
        r">>> ZEPHYR FATAL ERROR \d.{0,60}|^(?:\w{0,12}_)?_?assert: .{0,40}Assertion failed.{0,80}"
        r"|^dump_assert_info: .{0,40}Assertion.{0,60}|^(?:hard|mem|bus|usage) ?fault on thread: .{1,40}"
        r"|^Guru Meditation Error: Core .{1,80}|^\(.{1,80}\) assertion failed at function:.{1,60}",
        ("ZEPHYR FATAL ERROR", "assert: ", "dump_assert_info", "fault on thread", "Guru Meditation Error",
         "assertion failed at function"),
        "[00:00:00.010,000] <err> os: >>> ZEPHYR FATAL ERROR 25: Unknown error on CPU 0",
        "_assert: Assertion failed panic: at file: demo.c:175 task: nsh_main",
        "hard fault on thread: tshell",
        "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.",
        unlike="assert: all is well",
        summary="the system stopped: {0}",
        settle_s=0.7,
    ),
)  # fmt: skip
