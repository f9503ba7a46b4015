"""Menus of grub.cfg, without GRUB."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.iso.menus.entries import MAX_ARGUMENTS_CHARS, Menu
from hiperiso.iso.menus.grub import read_grub_menu
from machine_speed import assert_cheap


def menu(text: str, other: dict[str, str] | None = None, **variables: str) -> Menu:
    files = {"/boot/grub/grub.cfg": text, **(other or {})}
    return read_grub_menu(
        "/boot/grub/grub.cfg", lambda path: files.get(path, ""), lambda path: path in files, variables
    )


def test_an_entry_with_everything() -> None:
    found = menu(
        """
set default=0
insmod all_video
menuentry 'Start "it"' --class gnu --id first {
  set gfxpayload=keep
  linux  /live/vmlinuz boot=live 'name=a b' quiet ---  # a comment
  initrd /live/microcode.img \\
         /live/initrd.img
}
"""
    )
    (entry,) = found.entries
    assert (entry.title, entry.kernel) == ('Start "it"', "/live/vmlinuz")
    assert entry.initrds == ("/live/microcode.img", "/live/initrd.img")
    assert entry.arguments == 'boot=live name="a b" quiet ---'


@pytest.mark.parametrize(
    ("default", "title"),
    [
        ("0", "a"),
        ("1", "b"),
        ("b", "b"),
        ("second", "b"),
        ("2>1", "d"),
        ("sub>d", "d"),
        ("2", "c"),
        ("7", "a"),
        ("${saved_entry}", "a"),
    ],
)
def test_the_default_entry(default: str, title: str) -> None:
    found = menu(
        f"""
set default="{default}"
menuentry a {{ linux /a; }}
menuentry b --id=second {{ linux /b; }}
submenu sub {{
  menuentry c {{ linux /c; }}
  menuentry d {{ linux /d; }}
}}
"""
    )
    assert found.in_order[0].title == title
    assert sorted(entry.title for entry in found.in_order) == ["a", "b", "c", "d"]


def test_variables_and_words() -> None:
    found = menu(
        """
set kernel=(loop)/casper/vmlinuz; opts="quiet splash"
menuentry x {
  linux ${kernel} $opts "$opts" iso-scan/filename=${iso_path} 'not $opts' "\\$x"
  initrd ($root)/casper/initrd
}
""",
        iso_path="/ISOs/u.iso",
    )
    (entry,) = found.entries
    assert (entry.kernel, entry.initrds) == ("/casper/vmlinuz", ("/casper/initrd",))
    assert entry.arguments == 'quiet splash "quiet splash" iso-scan/filename=/ISOs/u.iso "not $opts" $x'


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ('[ "$grub_platform" = "efi" ]', True),
        ("[ x$grub_platform != xefi ]", False),
        ('[ -z "$nothing" ]', True),
        ("[ -n $nothing ]", False),
        ('[ "$nothing" ]', False),
        ("[ -f /boot/grub/grub.cfg ]", True),
        ("[ ! -e /none ]", True),
        ("[ a = b -o a = a ]", True),
        ("[ a = a -a -f /none ]", False),
        ("test a == a", True),
        ("search --file /x", True),
    ],
)
def test_conditions(condition: str, taken: bool) -> None:
    found = menu(
        f"if {condition}; then\n if true; then menuentry yes {{ linux /yes; }}; else x; fi\n"
        "elif [ a = b ]; then menuentry never { linux /never; }\n"
        "else\n menuentry no { linux /no; }\nfi\nmenuentry last { linux /last; }",
        grub_platform="efi",
    )
    assert [entry.title for entry in found.entries] == ["yes" if taken else "no", "last"]


def test_what_starts_no_linux_is_left_out() -> None:
    found = menu(
        "menuentry w { chainloader /EFI/x.efi; }\nmenuentry l { linuxefi /k a; initrdefi /i; }\n"
        "menuentry m { linux /k; multiboot /x; }\nfunction f { menuentry f { linux /f; }; }\n"
        "for i in /x /y; do menuentry loop { linux $i; }; done"
    )
    assert [(entry.title, entry.kernel) for entry in found.entries] == [("l", "/k"), ("loop", "/x")]


def test_included_files() -> None:
    other = {
        "/boot/grub/more.cfg": "menuentry more { linux /more; }\nsource /boot/grub/more.cfg\nset default=more",
        "/other.cfg": "menuentry deep { linux $prefix/k; }",
    }
    found = menu("source $prefix/more.cfg\nmenuentry jump { configfile (cd0)/other.cfg; }", other)
    assert {entry.title for entry in found.entries} == {"more", "deep"}
    assert found.in_order[0].title == "more"


_PIECES = [
    *("menuentry ", "submenu ", "'t' ", "{", "}", "\n", ";", "if ", "then ", "elif ", "else ", "fi ", "[ "),
    *("! ", "-o ", "-a ", "= ", "] ", "linux ", "initrd ", "/k ", "$a", "${a}", "set a=", "$a$a", '"', "'"),
    *("\\", "#", "for i in x; do ", "done ", "while ", "source ", "/boot/grub/grub.cfg ", "function f "),
    *("\0", "\x1b[2J", "\u202e", "é", "default=", "9>9>9", "(hd0)", " "),
]


@given(st.lists(st.sampled_from(_PIECES), max_size=120).map("".join))
def test_hostile_configurations(text: str) -> None:
    for entry in menu(text).in_order:
        assert entry.kernel.startswith("/") and len(entry.arguments) <= MAX_ARGUMENTS_CHARS
        assert "\n" not in entry.arguments and "\0" not in entry.arguments


@pytest.mark.parametrize(
    "text",
    [
        "menuentry a { " * 20_000,
        "if x; then " * 20_000,
        "if " * 50_000,
        "[ " + "! " * 50_000,
        "if [ " + "! " * 50_000 + "]; then x; fi",
        "set a=aaaaaaaa\n" + "set a=$a$a\n" * 200 + "menuentry x { linux /k $a; }",
        "menuentry x { linux /k; }\n" * 20_000,
        "source /boot/grub/grub.cfg\n" * 20_000,
        "set default=" + "9" * 100_000 + "\nmenuentry x { linux /k; }",
        "'" + "x" * 500_000,
        "".join(f"set v{n}=1\n" for n in range(30_000)) + "menuentry x { true; }\n" * 9_000,
    ],
)
def test_configurations_that_want_all_the_time_and_memory(text: str) -> None:
    start_s = time.process_time()
    menu(text)
    assert_cheap(time.process_time() - start_s, 15)


@pytest.mark.parametrize(
    "body",
    [
        "linux " + "$a " * 90_000,
        "linux $a\n" * 30_000,
        'linux "' + "$a" * 240_000 + '"',
        "linux " + "$a" * 240_000,
    ],
    ids=["many words", "many commands", "one quoted word", "one word"],
)
def test_variables_do_not_multiply_without_end(body: str) -> None:
    start = time.process_time()
    (entry,) = menu("set a='" + "x " * 2000 + "'\nmenuentry x {\nlinux /vmlinuz\n" + body + "\n}\n").entries
    assert len(entry.arguments) <= MAX_ARGUMENTS_CHARS
    assert_cheap(time.process_time() - start, 30)


ENTRIES = """
menuentry 'Live' --id=live { linux /vmlinuz }
submenu 'More' { menuentry 'Text' { linux /vmlinuz } }
menuentry 'Disk' { exit }
"""


@pytest.mark.parametrize(
    ("head", "chosen", "timeout_s"),
    [
        ("", 0, None),
        ("set timeout=-1\n", 0, None),
        ("set timeout=0\n", 0, 0.0),
        ("set timeout=30\nset default=2\n", 2, 30.0),
        ("timeout=5\nset default='live'\n", 0, 5.0),
        ("set timeout=x\nset default=9\n", 0, None),
    ],
)
def test_how_a_menu_comes_up(head: str, chosen: int, timeout_s: float | None) -> None:
    front = menu(head + ENTRIES).front
    assert front.titles == ("Live", "More", "Disk")
    assert (front.chosen, front.timeout_s) == (chosen, timeout_s)


def test_entries_that_ask_for_a_password_where_there_is_a_superuser() -> None:
    entries = "menuentry 'A' {\n}\nmenuentry 'B' --unrestricted {\n}\n"
    assert menu(entries).front.guarded == frozenset()
    assert menu("set superusers=root\n" + entries).front.guarded == {"A"}


@pytest.mark.parametrize(
    ("head", "fallback"),
    [
        ("", ()),
        ("set fallback=1\n", ("More",)),
        ("set fallback=Disk\n", ("Disk",)),
        ("set fallback='2 1'\n", ("Disk", "More")),
        ("set fallback=9\n", ()),
    ],
)
def test_the_entry_that_follows_where_the_default_fails(head: str, fallback: tuple[str, ...]) -> None:
    assert menu(head + ENTRIES).front.fallbacks == fallback


@pytest.mark.parametrize(
    ("head", "serial_input"),
    [
        ("", False),
        ("terminal_input serial\n", True),
        ("terminal_input serial_com0\nterminal_output gfxterm\n", True),
        ("terminal_input console serial\n", False),
        ("terminal_input --append serial\nterminal_input console\n", False),
        ("terminal_output serial\n", False),
        ("if [ x = y ]; then terminal_input serial; fi\n", False),
    ],
)
def test_where_a_menu_takes_keys_from(head: str, serial_input: bool) -> None:
    assert menu(head + ENTRIES).front.serial_input is serial_input


def test_a_branch_that_is_never_taken_has_no_rows() -> None:
    found = menu(
        "if false; then\nsubmenu 'Install' { menuentry 'Text' { linux /a } }\nfi\nif true; then "
        + ENTRIES
        + "\nfi"
    )
    assert found.front.titles == ("Live", "More", "Disk")


def test_rows_that_start_no_linux_are_rows_too() -> None:
    found = menu(
        """
menuentry a { linux /a quiet }
submenu more {
  menuentry b { linux /b }
  menuentry disk { insmod chain; chainloader (hd0)+1 }
}
menuentry setup { fwsetup }
menuentry other { configfile /boot/other.cfg }
menuentry nothing { true }
""",
        {"/boot/other.cfg": "menuentry c { linux /c }"},
    )
    assert [(row.path, bool(row.entry), row.runs, row.submenu) for row in found.rows] == [
        (("a",), True, "", False),
        (("more",), False, "", True),
        (("more", "b"), True, "", False),
        (("more", "disk"), False, "chainloader (hd0)+1", False),
        (("setup",), False, "fwsetup", False),
        (("other",), False, "", True),
        (("other", "c"), True, "", False),
        (("nothing",), False, "", False),
    ]
