"""grub.cfg: the menu of a stick as a pure function of its configuration.

GRUB itself finds the ISOs at boot. Written into the file are titles, tips, theme, timeout, and the
overrides that name one file. They come from hiperiso.json, which the user may change later; so a
copy of the hiperiso.json of the menu is stored on the EFI partition, and the menu compares the two: if
they differ it shows file names and passes only what was chosen, and the initramfs resolves the rest.

Facts about GRUB 2.06 used here (from its manual, and tested): globbing needs the module ``regexp`` loaded
before; patterns are case-sensitive and skip names with a leading dot; there is no ``&&``; ``if insmod x`` is always
true; in single quotes every character but ``'`` stands for itself; submenus see exported variables only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hiperiso.config.menu import is_image_name
from hiperiso.contract.kernel_cmdline import MAX_CHARS
from hiperiso.contract.row import ISO, LOG_ROOT, Carried
from hiperiso.contract.settings import ROWS
from hiperiso.contract.stick import CONFIG_PATH, LOG_FOLDER, SUMMARY_NAME
from hiperiso.contract.words import TraceLevel
from hiperiso.stick.order import SHOW_PARAMETER
from hiperlab.stick.kernelline import (
    DIRECTLY,
    EMULATED,
    SERIAL,
    KernelLine,
    OverrideWord,
    override_words,
)
from hiperlab.stick.menuconfig import MenuConfig, Theme, resolved_overrides
from hiperlab.stick.theme import THEME_FILE

CHAIN: Final = "waitdev,mountfs,hiperiso"
"""Without an ISO on the command line, the last step shows the list, if GRUB cannot."""

PAYLOAD: Final = "/EFI/hiperiso"
KERNEL: Final = f"{PAYLOAD}/vmlinuz"
OWN_GRUB: Final = f"{PAYLOAD}/grubx64.efi"
CONFIG_COPY: Final = f"{PAYLOAD}/hiperiso.json"

_CHOSEN_BY: Final = {Carried.UNLESS_TRACE: "$2", Carried.UNLESS_WAY: "$3"}
"""The argument of ``hiperiso_overrides`` that takes precedence over an override, unless empty."""

_PLACEHOLDER = re.compile(r"@([a-z_]+)@")  # GRUB's own `$` stays


@dataclass(frozen=True)
class MenuFacts:
    """The input for the menu.

    Attributes:
        partuuid: partition UUID of the data partition of this very stick.
        config: the menu's part of hiperiso.json.
        kernel_options: the first options of the host kernel.
    """

    partuuid: str
    config: MenuConfig
    kernel_options: str = "quiet loglevel=4 panic=30"


def render_menu(facts: MenuFacts) -> str:
    """The whole grub.cfg."""
    config = facts.config
    line = _kernel_line(facts)
    overrides = {path: words for path, words in _carried(config).items() if not line.too_many(path, words)}
    slots = max(map(len, overrides.values()), default=0)
    values = {
        "payload": PAYLOAD,
        "own_grub": OWN_GRUB,
        "config_copy": CONFIG_COPY,
        "config_on_stick": CONFIG_PATH,
        "iso": ISO.parameter,
        "trace": ROWS["trace"].parameter,
        "directly": DIRECTLY,
        "emulated": EMULATED,
        "kernel": KERNEL,
        "kernel_options": line.options,
        "fixed": line.fixed,
        "last": f"{LOG_FOLDER}/{SUMMARY_NAME}",
        "logs": LOG_FOLDER,
        "timeout": -1 if config.timeout_s is None else config.timeout_s,
        "default_image": quote(config.default_image),
        "search_root": quote(config.search_root),
        "terminals": _terminals(config),
        "titles": _titles(config),
        "overrides": _overrides(overrides, slots),
        "slots": " ".join(f"$hiperiso_o{slot}" for slot in range(1, slots + 1)),
        "globs": _globs(config),
        "trace_menus": _trace_menus(),
    }
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), _GRUB_CFG)


def overlong_overrides(facts: MenuFacts) -> list[str]:
    """A line for each ISO whose overrides do not fit the kernel command line, naming those.

    The menu then passes none of them: the recorder reads all of them from hiperiso.json.
    """
    line = _kernel_line(facts)
    problems = []
    for path, words in _carried(facts.config).items():
        if spare := line.too_many(path, words):
            names = ", ".join(dict.fromkeys(word.row.name for word in spare))
            length = line.length(path, words)
            problems.append(
                f"iso_overrides of {path}: no space for {names}: the kernel command line would have"
                f" {length} characters, and a kernel takes {MAX_CHARS}"
            )
    return problems


def _kernel_line(facts: MenuFacts) -> KernelLine:
    fixed = (
        f"root=bootchain bootchain={CHAIN} waitdev=PARTUUID={facts.partuuid} mountfs=DEVNAME mountfs-opts=ro"
        f" {LOG_ROOT.parameter}={LOG_FOLDER} {SHOW_PARAMETER}=1"
    )
    return KernelLine(KERNEL, facts.kernel_options, fixed)


def _carried(config: MenuConfig) -> dict[str, list[OverrideWord]]:
    """Path of an ISO -> the overrides that the menu can pass."""
    words = {path: override_words(settings) for path, settings in resolved_overrides(config).items()}
    return {path: carried for path, carried in words.items() if carried}


def quote(text: str) -> str:
    """`text` as one quoted word of a GRUB script: in single quotes nothing is special."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


_GRUB_CFG = """\
# Written by hiperiso. `hiperiso stick update` overwrites changes; settings belong in hiperiso.json.

set hiperiso_esp="$root"
insmod regexp
set hiperiso_disk="$root"
regexp --set=1:hiperiso_disk '^([^,]*)' "$root"
set hiperiso_data="$hiperiso_disk,gpt1"

set hiperiso_reads=0
if [ -d ($hiperiso_data)/ ]; then set hiperiso_reads=1; fi

# The signed GRUB cannot read exFAT. Without Secure Boot it may start the one that can.
if [ "$hiperiso_reads" = "0" ]; then
  if [ "$lockdown" != "y" ]; then
    if [ -z "$hiperiso_own" ]; then
      if [ "$grub_platform" = "efi" ]; then
        if [ -f ($hiperiso_esp)@own_grub@ ]; then
          chainloader ($hiperiso_esp)@own_grub@
          boot
        fi
      fi
    fi
  fi
fi

set hiperiso_serial=
@terminals@

set hiperiso_current=0
if [ "$hiperiso_reads" = "1" ]; then
  if [ -f ($hiperiso_esp)@config_copy@ ]; then
    if [ -f ($hiperiso_data)@config_on_stick@ ]; then
      if cmp ($hiperiso_esp)@config_copy@ ($hiperiso_data)@config_on_stick@; then set hiperiso_current=1; fi
    fi
  fi
fi

set hiperiso_root=@search_root@
set hiperiso_default=@default_image@
export hiperiso_esp hiperiso_data hiperiso_reads hiperiso_current hiperiso_serial hiperiso_root hiperiso_default
export grub_platform lockdown

# 1 the ISO, 2 the trace level or "", 3 "direct" for no hypervisor, "emulated" for one without KVM, or ""
function hiperiso_boot {
  set hiperiso_trace=
  set hiperiso_way=
  if [ -n "$2" ]; then set hiperiso_trace="@trace@=$2"; fi
  if [ "$3" = "direct" ]; then set hiperiso_way="@directly@"; fi
  if [ "$3" = "emulated" ]; then set hiperiso_way="@emulated@"; fi
  hiperiso_overrides "$1" "$2" "$3"
  hiperiso_start "@iso@=$1"
}

# 1 the ISO's parameter; without one the recorder shows the list itself
function hiperiso_start {
  echo "Starting the recorder ..."
  if linux ($hiperiso_esp)@kernel@ @kernel_options@ $hiperiso_serial \\
      @fixed@ \\
      $hiperiso_trace $hiperiso_way "$1" @slots@; then
    if initrd ($hiperiso_esp)@payload@/initramfs.cpio.gz; then boot; fi
  fi
  echo "The recorder could not be started. 'hiperiso stick verify' shows what is broken on this stick,"
  echo "and 'hiperiso stick update' repairs it. Press Esc for the menu."
  sleep --interruptible 60
}

@overrides@
@titles@
# 1 the trace level or "", 2 "direct", "emulated" or "": an entry for every ISO there is
function hiperiso_list {
  set hiperiso_count=0
  for hiperiso_file in @globs@; do
    if regexp '/\\.' "$hiperiso_file"; then
      true
    elif regexp '\\.([iI][sS][oO]|[iI][mM][gG])$' "$hiperiso_file"; then
      if [ -f "$hiperiso_file" ]; then
        regexp --set=1:hiperiso_path '^\\([^)]*\\)(.*)$' "$hiperiso_file"
        hiperiso_title "$hiperiso_path"
        set hiperiso_count=1
        if [ "$hiperiso_path" = "$hiperiso_default" ]; then set default="$hiperiso_path"; fi
        menuentry "$hiperiso_shown" --id "$hiperiso_path" --class iso "$hiperiso_path" "$1" "$2" {
          hiperiso_boot "$2" "$3" "$4"
        }
      fi
    fi
  done
  if [ "$hiperiso_count" = "0" ]; then
    menuentry "No ISO yet: copy files to $hiperiso_root on the partition HIPERISO" --class none { true; }
  fi
}

set default=0
set timeout=@timeout@
if [ "$hiperiso_reads" = "1" ]; then
  hiperiso_list "" ""
  submenu 'Choose what to record >' --class trace {
@trace_menus@
  }
  submenu 'Boot directly, without a hypervisor >' --class tool { hiperiso_list "" "direct"; }
  submenu 'Boot emulated, without KVM >' --class tool { hiperiso_list "" "emulated"; }
  if [ -f ($hiperiso_data)@last@ ]; then
    menuentry 'Summary of the last recording' --class info {
      clear
      set pager=1
      cat ($hiperiso_data)@last@
      set pager=0
      echo
      echo "Press Esc for the menu."
      sleep --interruptible 600
    }
  fi
  submenu 'Recordings on this stick >' --class info {
    set hiperiso_count=0
    for hiperiso_file in ($hiperiso_data)@logs@/*/report.txt ($hiperiso_data)@logs@/*/*/report.txt; do
      if regexp --set=1:hiperiso_name '/([^/]*)/report\\.txt$' "$hiperiso_file"; then
        set hiperiso_count=1
        menuentry "$hiperiso_name" "$hiperiso_file" {
          clear
          set pager=1
          cat "$2"
          set pager=0
          echo
          echo "Press Esc for the menu."
          sleep --interruptible 600
        }
      fi
    done
    if [ "$hiperiso_count" = "0" ]; then menuentry 'None yet' { true; }; fi
  }
else
  menuentry 'hiperiso: show the ISOs of this stick' --class iso {
    set hiperiso_way=
    hiperiso_start
  }
  menuentry 'hiperiso: boot directly, without a hypervisor' --class tool {
    set hiperiso_way="@directly@"
    hiperiso_start
  }
  menuentry 'hiperiso: boot emulated, without KVM' --class tool {
    set hiperiso_way="@emulated@"
    hiperiso_start
  }
fi
if [ "$grub_platform" = "efi" ]; then
  menuentry 'Firmware setup' --class setup { fwsetup; }
fi
menuentry 'Reboot' --class reboot { reboot; }
menuentry 'Power off' --class shutdown { halt; }
"""


def _terminals(config: MenuConfig) -> str:
    theme = config.theme
    lines = ["set pager=0"]
    if theme.graphical:
        lines += [
            f"if loadfont ($hiperiso_esp){PAYLOAD}/unicode.pf2; then",
            f"  set gfxmode={theme.gfxmode.replace(';', ',')}",
            "  set gfxpayload=keep",
            "  insmod all_video",
            "  insmod gfxterm",
            "  terminal_output gfxterm",
            *(f"  {line}" for line in _themes(theme)),
            "fi",
        ]
    else:
        lines.append("terminal_output console")
    if theme.serial:
        lines += [
            f"if serial {theme.serial_options}; then",
            f'  set hiperiso_serial="{SERIAL}"',
            "  terminfo -u serial vt100",
            "  terminal_input --append serial",
            "  terminal_output --append serial",
            "fi",
        ]
    return "\n".join(lines)


def _themes(theme: Theme) -> list[str]:
    """Our own theme, or instead the user's if it exists."""
    lines = [
        "insmod gfxmenu",
        "insmod png",
        f"if [ -f ($hiperiso_esp)/{THEME_FILE} ]; then set theme=($hiperiso_esp)/{THEME_FILE}; fi",
    ]
    if theme.file:
        lines += [
            f'if [ -f "($hiperiso_data)"{quote(theme.file)} ]; then',
            *(f'  loadfont "($hiperiso_data)"{quote(font)}' for font in theme.fonts),
            f'  set theme="($hiperiso_data)"{quote(theme.file)}',
            "fi",
        ]
    return [*lines, "export theme"]


def _titles(config: MenuConfig) -> str:
    """``hiperiso_title PATH`` sets hiperiso_shown."""
    folders = [(path, title) for path, title in config.titles.items() if not is_image_name(path)]
    lines = [
        "function hiperiso_title {",
        '  set hiperiso_shown="$1"',
        f'  regexp --set=1:hiperiso_shown {quote("^" + _ere(config.search_root.rstrip("/")) + "/(.*)$")} "$1"',
        '  if [ "$hiperiso_current" = "1" ]; then',
    ]
    for path, title in folders:
        pattern = quote("^" + _ere(path) + "/([^/]*)$")
        lines += [
            f'    if regexp --set=1:hiperiso_name {pattern} "$1"; then',
            f'      set hiperiso_shown={quote(title)}"/$hiperiso_name"',
            "    fi",
        ]
    named = dict.fromkeys([*(p for p in config.titles if is_image_name(p)), *config.tips])
    for path in named:
        lines.append(f'    if [ "$1" = {quote(path)} ]; then')
        if path in config.titles:
            lines.append(f"      set hiperiso_shown={quote(config.titles[path])}")
        if path in config.tips:
            lines.append(f'      set hiperiso_shown="$hiperiso_shown  -  "{quote(config.tips[path])}')
        lines.append("    fi")
    return "\n".join([*lines, "    true", "  fi", "}", ""])


def _overrides(overrides: dict[str, list[OverrideWord]], slots: int) -> str:
    """``hiperiso_overrides PATH TRACE WAY`` sets hiperiso_o1 and so on: the choice in the menu takes precedence."""
    lines = ["function hiperiso_overrides {"]
    lines += [f"  set hiperiso_o{slot}=" for slot in range(1, slots + 1)]
    lines.append('  if [ "$hiperiso_current" = "1" ]; then')
    for path, words in overrides.items():
        lines.append(f'    if [ "$1" = {quote(path)} ]; then')
        for slot, word in enumerate(words, start=1):
            assign = f"set hiperiso_o{slot}={quote(word.text)}"
            unless = _CHOSEN_BY.get(word.row.carried)
            lines.append(f'      if [ "{unless}" = "" ]; then {assign}; fi' if unless else f"      {assign}")
        lines.append("    fi")
    return "\n".join([*lines, "    true", "  fi", "}", ""])


def _globs(config: MenuConfig) -> str:
    root = "" if config.search_root == "/" else config.search_root
    levels = ["/*" * depth for depth in range(1, config.depth + 2)]
    return " ".join(f'"("$hiperiso_data")"{quote(root)}{level}' for level in levels)


def _trace_menus() -> str:
    words = {
        TraceLevel.STANDARD: "Record disk requests",
        TraceLevel.DETAILED: "Record disk, PCI and ports",
        TraceLevel.FULL: "Record everything (slow)",
        TraceLevel.NONE: "Record without a trace",
    }
    return "\n".join(
        f'  submenu \'{text}: trace level {level} >\' --class trace {{ hiperiso_list "{level}" ""; }}'
        for level, text in words.items()
    )


def _ere(text: str) -> str:
    """`text` as a POSIX extended regular expression that matches exactly that text."""
    return "".join(f"\\{char}" if char in r"\.[]()*+?{}|^$" else char for char in text)
