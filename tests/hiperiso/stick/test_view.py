from __future__ import annotations

from hiperiso.stick.view import short_summary, style_of

REPORT = """\
Failure at kernel: no root
==========================

Findings
  error   panic
            1.00 s, serial console (event 5): [    0.1] panic

Observations
  info    menu_entry: GRUB booted an entry
            0.50 s, serial console (event 3): Booting

Last lines of serial
  | 1
  | 2
  | 3
  | 4
  | 5
  | 6
  | Files

Files
  env.txt
  serial.log
"""


def test_a_console_shows_what_happened_and_no_list_of_files() -> None:
    short = short_summary(REPORT)
    assert short.startswith("Failure at kernel: no root\n")
    assert "error   panic" in short and "event" not in short and "menu_entry" not in short
    assert short.endswith("\n\nLast lines of serial\n  | 1\n  | 2\n  | 3\n  | 4\n  | 5\n  | 6\n  | Files")


def test_a_console_quotes_one_channel_around_the_failure_too() -> None:
    around = (
        REPORT.replace("Last lines of serial", "Lines around the failure, of serial")
        + "\n\nLast lines of x\n  | y\n"
    )
    assert short_summary(
        REPORT.replace("Last lines of serial", "Lines around the failure, of serial")
    ).endswith("  | Files")
    assert "| y" not in short_summary(around.replace("\n\nFiles\n  env.txt\n  serial.log\n", ""))


def test_a_summary_of_another_form_is_shown_as_it_is() -> None:
    assert short_summary("ISO: gone\nCause: none") == "ISO: gone\nCause: none"
    assert short_summary("") == ""


LATE = """\
Failure at kernel (kernel) after 3.0 s: no root
===============================================

Session   a_20260101T000000Z

Stages
  kernel

Findings
  info    slow disk
            1.00 s, kernel log (event 1): slow
  warning no entropy
  fatal   no root
          tried /dev/sdz9
  error   a unit failed

Last lines of serial
  | panic
"""


def test_the_fatal_finding_comes_first() -> None:
    lines = short_summary(LATE).split("\n")
    assert lines[3:9] == [
        "Findings",
        "  fatal   no root",
        "          tried /dev/sdz9",
        "  info    slow disk",
        "  warning no entropy",
        "  error   a unit failed",
    ]
    assert "Stages" in lines and lines[-2] == "  | panic"
    styles = {line: style_of(line) for line in lines if style_of(line)}
    assert styles[lines[0]] == styles["  fatal   no root"] == styles["  error   a unit failed"] == "1;31"
    assert styles["  warning no entropy"] == style_of("Incomplete at kernel") == "33"
    assert style_of("Success: login after 3 s") == "1;32" and len(styles) == 4
