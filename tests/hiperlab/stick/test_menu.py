"""Every generated menu is GRUB script, whatever is in hiperiso.json; what GRUB makes of one is in test_boot."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiperiso.contract.kernel_cmdline import MAX_CHARS, word_as_grub
from hiperiso.text import printable
from hiperlab.run import run_tool
from hiperlab.stick.kernelline import override_words
from hiperlab.stick.menu import MenuFacts, overlong_overrides, quote, render_menu
from hiperlab.stick.menuconfig import MenuConfig, parse_menu, resolved_overrides
from hiperlab.stick.settings_file import parse_stick_config
from property_tests import examples

PARTUUID = "11111111-2222-3333-4444-555555555555"


def render(document: dict[str, Any]) -> str:
    return render_menu(MenuFacts(PARTUUID, parse_menu(document)))


def check(text: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "grub.cfg")
        path.write_text(text)
        run_tool(["grub-script-check", str(path)], package="grub-common")


_PIECES = [
    *"ab /\\'\"$`{}()[]<>;&|#%!*?~=@\n\r\t\0\x1b",
    "$(",
    "${x}",
    "'\"",
    "@iso@",
    "\u202e",
    "日",
    "é",
    "\ud800",
]
HOSTILE = st.lists(st.sampled_from(_PIECES), max_size=24).map("".join)
PATHS = st.builds(lambda a, b: f"/ISOs/{a}{b}", HOSTILE, st.sampled_from(["", ".iso", ".ISO", ".img"]))
SCALARS = HOSTILE | st.integers(-5, 10**7) | st.booleans() | st.none() | st.lists(HOSTILE, max_size=2)
ITEMS = st.lists(
    st.dictionaries(st.sampled_from(["image", "dir", "alias", "tip", "tip1", "tip2"]), PATHS | SCALARS)
    | SCALARS,
    max_size=4,
)
CONTROL = st.dictionaries(
    st.sampled_from(["timeout", "depth", "default_image", "search_root", "VTOY_MENU_TIMEOUT"]),
    PATHS | SCALARS,
)
THEME = st.dictionaries(
    st.sampled_from(["file", "fonts", "gfxmode", "display_mode", "serial_param"]),
    PATHS | SCALARS | st.lists(PATHS),
)
OVERRIDES = st.dictionaries(
    PATHS | HOSTILE,
    st.dictionaries(
        st.sampled_from(["ram", "cpus", "trace", "fallback", "cpu_features", "vga", "x y"]), SCALARS
    ),
    max_size=4,
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "control": CONTROL,
        "theme": THEME,
        "menu_alias": ITEMS,
        "menu_tip": ITEMS,
        "iso_overrides": OVERRIDES,
    },
)


@settings(max_examples=examples(120), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS)
def test_grub_accepts_the_menu_of_any_configuration(document: dict[str, Any]) -> None:
    text = render(document)
    check(text)
    assert "@payload@" not in text


@settings(max_examples=examples(200), deadline=None)
@given(DOCUMENTS)
def test_nothing_of_the_configuration_leaves_its_quotes(document: dict[str, Any]) -> None:
    """Outside of single quotes the text is the same for all configurations: no word of it can become a command."""
    lines = [line for line in unquoted(render(document)).splitlines() if line.strip()]
    for line in lines:
        assert not set(line) & set("`\0\x1b\r"), line
        assert "日" not in line and "é" not in line


def unquoted(text: str) -> str:
    """What stands outside of quotes and comments."""
    out, mode = [], ""
    for char in text:
        if mode == "#":
            mode = "" if char == "\n" else mode
        elif mode:
            mode = "" if char == mode else mode
            continue
        elif char in "'\"":
            mode = char
            continue
        elif char == "#":
            mode = "#"
        if mode != "#":
            out.append(char)
    assert not mode
    return "".join(out)


@pytest.mark.parametrize("word", ["plain", "it's", "''", '$x `y` "z" \\', "", "a b", "日本"])
def test_quoting_is_undone_by_a_shell_with_the_same_rules(word: str) -> None:
    done = subprocess.run(["sh", "-c", f"printf %s {quote(word)}"], capture_output=True, check=True)
    assert done.stdout.decode() == word


def test_the_contract_s_command_line() -> None:
    text = render({})
    assert "root=bootchain bootchain=waitdev,mountfs,hiperiso" in text
    assert f"waitdev=PARTUUID={PARTUUID} mountfs=DEVNAME" in text
    assert '"hiperiso_iso=$1"' in text
    assert "hiperiso_log_dir=/hiperiso/logs" in text
    assert "function hiperiso_boot" in text
    for level in ("standard", "detailed", "full", "none"):
        assert f'hiperiso_list "{level}"' in text


def test_with_and_without_a_hypervisor() -> None:
    text = render({"iso_overrides": {"/ISOs/a.iso": {"accel": "kvm", "fallback": True, "no_kvm": "direct"}}})
    assert 'hiperiso_list "" "direct"' in text and 'hiperiso_list "" "emulated"' in text
    assert (
        text.count('set hiperiso_way="hiperiso_fallback=1"') == 2
    )  # an ISO of the list, and the recorder's list
    assert text.count('set hiperiso_way="hiperiso_accel=tcg hiperiso_fallback=0"') == 2
    # What was chosen in the menu wins over what the configuration says for the ISO.
    for parameter in ("hiperiso_accel=kvm", "hiperiso_fallback=1"):
        (line,) = [line for line in text.splitlines() if f"='{parameter}'" in line]
        assert line.strip().startswith('if [ "$3" = "" ]; then set')
    (line,) = [line for line in text.splitlines() if "hiperiso_no_kvm=direct" in line]
    assert line.strip().startswith("set")


def test_titles_tips_and_the_time_out() -> None:
    text = render(
        {
            "control": [
                {"VTOY_MENU_TIMEOUT": "7"},
                {"VTOY_DEFAULT_IMAGE": "/ISOs/a.iso"},
                {"VTOY_MAX_SEARCH_LEVEL": "1"},
            ],
            "menu_alias": [{"image": "/ISOs/a.iso", "alias": "It's A"}, {"dir": "/ISOs/b", "alias": "Bs"}],
            "menu_tip": {"tips": [{"image": "/ISOs/a.iso", "tip1": "one", "tip2": "two"}]},
            "theme": {
                "file": "/t/theme.txt",
                "gfxmode": "800x600",
                "fonts": ["/t/f.pf2"],
                "serial_param": "--unit=1",
            },
        }
    )
    check(text)
    assert "set timeout=7" in text
    assert "set hiperiso_default='/ISOs/a.iso'" in text
    assert "'It'\"'\"'s A'" in text
    assert "'one two'" in text
    assert "set gfxmode=800x600" in text
    assert "serial --unit=1" in text
    assert "'/t/f.pf2'" in text
    assert "'/ISOs'/*/*" in text and "/*/*/*" not in text


def test_display_modes() -> None:
    assert "terminal_output gfxterm" not in render({"theme": {"display_mode": "serial"}})
    assert "--append serial" not in render({"theme": {"display_mode": "CLI"}})
    assert "set timeout=-1" in render({})


def test_what_is_passed_over_is_reported() -> None:
    document = {
        "control": {"timeout": "soon", "default_image": "relative.iso"},
        "theme": {"gfxmode": "big; reboot", "file": 7},
        "menu_alias": [{"image": "/a.iso"}, 3],
    }
    parsed = parse_stick_config(json.dumps(document).encode())
    assert len(parsed.problems) == 6 and parsed.menu == MenuConfig()
    assert any("timeout" in problem for problem in parsed.problems)


def test_overrides_that_name_one_file_are_resolved_and_globs_left() -> None:
    config = parse_menu(
        {
            "iso_overrides": {
                "*win*": {"ram": 1, "cpus": 1},
                "./win.iso": {"ram": 4096, "tpm": True},
                "/ISOs/sub/x.iso": {"cpu_features": ["vmx", "svm"], "net_dump": False},
                "*w*n*": {"tpm": False},
            }
        }
    )
    assert resolved_overrides(config) == {
        "/ISOs/win.iso": {"ram": 4096},  # tpm: a later glob decides
        "/ISOs/sub/x.iso": {"cpu_features": ["vmx", "svm"], "net_dump": False},
    }


def test_sections_in_ventoys_form_reach_the_menu() -> None:
    config = parse_menu(
        {
            "auto_memdisk": ["/ISOs/a.iso", "/ISOs/b*.iso"],
            "persistence": [{"image": "/ISOs/a.iso", "backend": "/p.dat"}],
            "auto_install": [{"parent": "/ISOs", "template": "/k.ks"}],
            "dud": [{"image": "/ISOs/*", "dud": "/1.img"}, {"image": "/ISOs/a.iso", "dud": "/2.img"}],
        }
    )
    resolved = {"boot_mode": "memdisk", "persistence": "/p.dat", "dud": ["/1.img", "/2.img"]}
    assert resolved_overrides(config) == {"/ISOs/a.iso": resolved}
    text = render_menu(MenuFacts(PARTUUID, config))
    check(text)
    assert (
        "hiperiso_boot_mode=memdisk" in text and "/k.ks" not in text
    )  # the recorder finds the latter itself


def words(settings: dict[str, Any]) -> list[str]:
    return [word.text for word in override_words(settings)]


def test_what_a_kernel_command_line_can_carry() -> None:
    settings = {"cpu_features": ["vmx", "svm"], "net_dump": False, "conf_replace": "a b", "other": 1}
    assert words(settings) == ["hiperiso_net_dump=0", "hiperiso_cpu_features=vmx,svm"]
    # GRUB would expand it; a list within a list, and an item with the separator in it, have no such form
    assert words({"expect_text": "a*"}) == words({"cpu_features": ["a,b"]}) == words({"vga": [["std"]]}) == []
    files = {
        "auto_install": "/hiperiso/files/ks.cfg",
        "dud": ["/a.img", "/b.img"],
        "persistence": "hiperiso/files/changes.dat",
        "conf_replace": {"org": "/boot/grub/grub.cfg", "new": "/hiperiso/files/my.cfg"},
    }
    assert words(files) == [
        "hiperiso_conf_replace=org=/boot/grub/grub.cfg;new=/hiperiso/files/my.cfg",
        "hiperiso_auto_install=/hiperiso/files/ks.cfg",
        "hiperiso_persistence=hiperiso/files/changes.dat",
        "hiperiso_dud=/a.img",
        "hiperiso_dud=/b.img",
    ]
    assert words({"conf_replace": {"org": "/a"}}) == []
    assert words({"ocr": "off"}) == []  # does not apply on a stick


def test_as_many_overrides_as_the_command_line_holds() -> None:
    """All that fit are passed on; what does not is named, and never cut."""

    def overrides(length: int) -> MenuFacts:
        document = {
            "iso_overrides": {
                "/ISOs/it's.iso": {"ram": 4096, "cpus": 4, "trace": "full", "display": "none", "vga": "std",
                                   "firmware": "uefi", "net_dump": True, "accel": "kvm", "boot_mode": "normal",
                                   "fallback": False, "timeout": 9, "expect_text": "x" * length}
            }
        }  # fmt: skip
        return MenuFacts(PARTUUID, parse_menu(document))

    most = max(length for length in range(2048) if not overlong_overrides(overrides(length)))
    text = render_menu(overrides(most))
    check(text)
    assert "hiperiso_o12='hiperiso_expect_text=" in text and "$hiperiso_o12;" in text
    assert 2000 < longest_line(text, "/ISOs/it's.iso") <= MAX_CHARS

    (problem,) = overlong_overrides(overrides(most + 1))
    assert "/ISOs/it's.iso: no space for expect_text:" in problem and "2048 characters" in problem
    assert "hiperiso_o1" not in render_menu(overrides(most + 1))


def longest_line(menu: str, iso: str) -> int:
    """The command line of an ISO, worked out from the text of the menu."""
    command = re.search(r"if linux (.*?); then", menu.replace("\\\n", " "), re.DOTALL)
    assert command
    slots = dict(re.findall(r"set (hiperiso_o\d+)='(.*)'(?:; fi)?$", menu, re.MULTILINE))
    trace_of_the_menu = "hiperiso_trace_level=standard"
    trace = next(name for name, word in slots.items() if "trace_level" in word)
    ways = [name for name, word in slots.items() if "accel" in word or "fallback" in word]
    slots |= {trace: "", **dict.fromkeys(ways, "")}
    values = slots | {
        "hiperiso_serial": "console=ttyS0,115200 console=tty0",
        "hiperiso_trace": trace_of_the_menu,
        "hiperiso_way": "hiperiso_accel=tcg hiperiso_fallback=0",
        "hiperiso_esp": "hd0,gpt2",
        "1": word_as_grub(f"hiperiso_iso={iso}"),
    }
    line = re.sub(r"\$(\w+)", lambda match: values[match[1]], command[1].replace('"', ""))
    return len(" ".join(["BOOT_IMAGE=" + line.split()[0], *line.split()[1:]]))


@given(st.text())
def test_printable(text: str) -> None:
    clean = printable(text)
    clean.encode()
    assert clean.isprintable() or any(not char.isprintable() for char in clean if ord(char) > 0x9F)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in clean)
