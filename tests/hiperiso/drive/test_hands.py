"""What the hands do at menus that stand, count, come back or are none; on drawn screens, with the clock in hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from hiperiso.contract.menupolicy import MenuOutcome, parse_menu
from hiperiso.drive.actions import Instruction, Press, Stands, Stop
from hiperiso.drive.hands import MenuHands
from hiperiso.drive.keys import DOWN, ENTER, HOME, chords_of, typed
from hiperiso.drive.look import Look
from hiperiso.drive.recognise import MenuConfig
from hiperiso.drive.signs import MenuKind
from hiperiso.iso.menus.entries import MenuEntry, MenuRow

from .screens import blank_look, picture_look, text_look

ENTRIES = ("Live system", "Live system (fail-safe)", "Memory test")


def grub(t: float, chosen: int = 0, note: str = "", entries: tuple[str, ...] = ENTRIES) -> Look:
    box = [f" │{'*' if at == chosen else ' '}{entry:60}│" for at, entry in enumerate(entries)]
    rows = [
        "",
        "                    GNU GRUB  version 2.06",
        "",
        f" ┌{'─' * 61}┐",
        *box,
        f" └{'─' * 61}┘",
        "",
        note,
    ]
    return text_look(t, rows, bar=4 + chosen)


def syslinux(t: float, note: str = "") -> Look:
    rows = [
        f"┌{'─' * 40}┐",
        "│ Live system",
        "│ Fail-safe",
        f"└{'─' * 40}┘",
        "    Press [Tab] to edit options",
        note,
    ]
    return text_look(t, rows)


def prompt(t: float, above: str = "ISOLINUX 6.04") -> Look:
    return text_look(t, [above, "boot:"])


def played(hands: MenuHands, looks: Iterable[Look]) -> list[tuple[float, Instruction]]:
    return [(look.t, done) for look in looks for done in hands.look(look)]


def standing(draw: Callable[[float], Look], start: float, seconds: float, step: float = 0.5) -> list[Look]:
    return [draw(start + at * step) for at in range(int(seconds / step) + 1)]


def presses(done: list[tuple[float, Instruction]]) -> list[tuple[float, tuple[tuple[str, ...], ...]]]:
    return [(t, one.chords) for t, one in done if isinstance(one, Press)]


def outcomes(done: list[tuple[float, Instruction]]) -> list[MenuOutcome]:
    return [one.outcome for _, one in done if isinstance(one, Stop)]


@pytest.mark.parametrize("draw", [grub, syslinux, prompt])
def test_a_menu_that_stands_gets_one_enter_within_three_seconds(draw: Callable[[float], Look]) -> None:
    hands = MenuHands(parse_menu("auto"))
    done = played(hands, [blank_look(0.0), *standing(draw, 1.0, 4.0), *standing(blank_look, 5.5, 60.0)])
    ((t, chords),) = presses(done)
    assert chords == (ENTER,)
    assert t - 1.0 <= 3.0
    assert [type(one) for _, one in done] == [Stands, Press]


def test_a_menu_that_counts_down_is_left_alone() -> None:
    looks = [
        grub(float(t), note=f"   The highlighted entry will be executed automatically in {9 - t}s.")
        for t in range(9)
    ]
    assert not played(MenuHands(parse_menu("auto")), looks)


@pytest.mark.parametrize("number", [0, 5])
def test_a_number_that_does_not_move_is_not_a_countdown(number: int) -> None:
    note = f"   Boots automatically in {number}s."
    done = played(MenuHands(parse_menu("auto")), standing(lambda t: grub(t, note=note), 1.0, 5.0))
    ((t, chords),) = presses(done)
    assert chords == (ENTER,)
    assert t - 1.0 <= 3.0


def test_a_number_that_stays_while_the_kernel_is_read_gets_no_key() -> None:
    config = MenuConfig(
        "/isolinux/isolinux.cfg", MenuKind.SYSLINUX, ENTRIES, 0, 5.0, kernels=frozenset(("/vmlinuz",))
    )
    hands = MenuHands(parse_menu("auto"), (config,))
    played(
        hands, [syslinux(1.0, "Automatic boot in 1 seconds"), syslinux(2.0, "Automatic boot in 0 seconds")]
    )
    hands.read("/isolinux/isolinux.cfg", 0.5)
    hands.read("/vmlinuz", 2.5)
    assert not played(hands, standing(lambda t: syslinux(t, "Automatic boot in 0 seconds"), 2.5, 20.0))


def test_a_countdown_to_another_entry_is_ended_by_a_key() -> None:
    speech = MenuConfig("/isolinux/isolinux.cfg", MenuKind.SYSLINUX, ENTRIES, 0, 30.0, other_on_timeout=True)
    looks = [
        syslinux(float(t), f"Press a key, otherwise speech synthesis will be started in {30 - t} seconds...")
        for t in range(4)
    ]
    assert [chords for _, chords in presses(played(MenuHands(parse_menu("auto"), (speech,)), looks))] == [
        (ENTER,)
    ]


def test_a_timed_prompt_is_answered_at_once() -> None:
    looks = [text_look(1.0 + at, ["Press any key to boot from CD or DVD" + "." * at]) for at in range(1, 4)]
    ((t, _),) = presses(played(MenuHands(parse_menu("auto")), looks))
    assert t == looks[0].t


@pytest.mark.parametrize(
    "rows",
    [
        ["grub> "],
        ["Enter passphrase for hd0,gpt2 (12): "],
        ["  Memtest86+ v6.10      | CPU", "", "Pass 1"],
        ["", "   Boot Maintenance Manager", "   Device Manager"],
        ["error: file `/vmlinuz' not found.", "", "Press any key to continue..."],
        ["[    0.000000] Linux version 6.1", "Press any key to continue"],
        ["demo login: "],
        ["Could not find kernel image: linux", "boot: "],
        ["No bootable device."],
        ["some text that says nothing"],
    ],
)
def test_what_is_not_a_menu_never_gets_a_key(rows: list[str]) -> None:
    hands = MenuHands(parse_menu("auto"))
    hands.loader()
    assert not presses(played(hands, standing(lambda t: text_look(t, rows), 0.0, 60.0)))


def test_a_passphrase_prompt_is_an_outcome_of_its_own() -> None:
    look = ["Enter passphrase for hd0,gpt2 (12): "]
    done = played(MenuHands(parse_menu("auto")), standing(lambda t: text_look(t, look), 0.0, 20.0))
    assert outcomes(done) == [MenuOutcome.PASSPHRASE]


def test_no_key_once_a_kernel_runs() -> None:
    hands = MenuHands(parse_menu("auto"))
    hands.started()
    assert not played(hands, standing(grub, 0.0, 60.0))
    hands.reset()
    assert presses(played(hands, standing(grub, 100.0, 5.0)))


def test_a_menu_that_comes_back_is_a_failure_and_gets_no_further_key() -> None:
    error = ["error: file `/live/vmlinuz' not found.", "", "Press any key to continue..."]
    looks = [
        *standing(grub, 0.0, 2.0),
        *standing(lambda t: text_look(t, error), 2.5, 8.0),
        *standing(grub, 11.0, 60.0),
    ]
    done = played(MenuHands(parse_menu("auto")), looks)
    assert len(presses(done)) == 1
    assert outcomes(done) == [MenuOutcome.RETURNED]


def test_a_second_menu_gets_a_second_key_and_a_third_none() -> None:
    def menu(number: int) -> Callable[[float], Look]:
        return lambda t: grub(t, entries=(f"menu {number}", "other"))

    looks = [look for number in range(4) for look in standing(menu(number), 10.0 * number, 5.0)]
    done = played(MenuHands(parse_menu("auto")), looks)
    assert len(presses(done)) == 2
    assert outcomes(done) == [MenuOutcome.WAITS]


def test_a_menu_that_does_not_react_gets_a_second_key_and_then_the_verdict() -> None:
    done = played(MenuHands(parse_menu("auto")), standing(grub, 0.0, 60.0))
    assert len(presses(done)) == 2
    assert outcomes(done) == [MenuOutcome.NO_REACTION]


def test_a_key_has_more_time_on_a_busy_host() -> None:
    def slowly(t: float) -> Look:
        return replace(grub(t), pace=6.0)

    done = played(MenuHands(parse_menu("auto")), standing(slowly, 0.0, 20.0))
    assert len(presses(done)) == 1
    done = played(MenuHands(parse_menu("auto")), standing(slowly, 0.0, 400.0))
    assert outcomes(done) == [MenuOutcome.NO_REACTION]


def test_a_menu_that_does_not_react_may_be_reading() -> None:
    """Reads are not observed where nothing is traced: the verdict waits for what a kernel takes."""
    looks = standing(grub, 0.0, 20.0)
    assert outcomes(played(MenuHands(parse_menu("auto")), looks)) == []


def test_a_menu_that_stays_while_its_kernel_is_read_has_reacted() -> None:
    hands = MenuHands(parse_menu("auto"), (waiting_config(),))
    looks = standing(grub, 0.0, 2.0)
    assert len(presses(played(hands, looks))) == 1
    hands.read("/live/vmlinuz", 2.5)
    assert not played(hands, standing(grub, 3.0, 60.0))


def waiting_config(kernel: str = "/live/vmlinuz") -> MenuConfig:
    return MenuConfig("/boot/grub/grub.cfg", MenuKind.GRUB, ENTRIES, 0, None, kernels=frozenset({kernel}))


def test_an_unread_picture_gets_a_key_where_the_configuration_that_was_read_waits() -> None:
    hands = MenuHands(parse_menu("auto"), (waiting_config(),))
    looks = standing(lambda t: picture_look(t, 7), 5.0, 10.0)
    assert not presses(played(MenuHands(parse_menu("auto"), (waiting_config(),)), looks)), (
        "no loader was seen"
    )
    hands.read("/boot/grub/grub.cfg", 4.0)
    assert next(chords for _, chords in presses(played(hands, looks))) == (ENTER,)


def test_a_program_that_firmware_started_is_a_boot_loader_until_it_comes_back() -> None:
    config = MenuConfig("/EFI/BOOT/refind.conf", MenuKind.REFIND, observed=False)
    looks = standing(lambda t: picture_look(t, 7), 5.0, 10.0)
    for lines, pressed in (
        (['BdsDxe: starting Boot0001 "UEFI QEMU DVD-ROM" from PciRoot(0x0)'], True),
        (['BdsDxe: loading Boot0001 "UEFI QEMU DVD-ROM" from PciRoot(0x0)'], False),
        (
            [
                'BdsDxe: starting Boot0001 "UEFI QEMU DVD-ROM" from PciRoot(0x0)',
                'BdsDxe: failed to start Boot0001 "UEFI QEMU DVD-ROM" from PciRoot(0x0): Not Found',
            ],
            False,
        ),
    ):
        hands = MenuHands(parse_menu("auto"), (config,))
        for line in lines:
            hands.line(line)
        assert bool(presses(played(hands, looks))) is pressed


SERIAL_MENU = ("                 GNU GRUB  version 2.06", "*Live system", " Live system (fail-safe)")


def test_a_menu_on_the_serial_port_alone_is_answered_once_it_is_quiet() -> None:
    hands = MenuHands(parse_menu("auto"), (waiting_config(),))
    for number, line in enumerate(SERIAL_MENU):
        hands.serial(line, 5.0 + number / 10)
    ((t, chords),) = presses(played(hands, standing(blank_look, 5.5, 3.0)))
    assert chords == (ENTER,)
    assert 6.4 <= t <= 8.2
    hands.serial("[    0.000000] Linux version 6.1.0-demo", 12.0)
    assert not played(hands, standing(blank_look, 12.5, 60.0))


def test_a_menu_on_the_serial_port_that_does_not_react_gets_the_second_key_there() -> None:
    hands = MenuHands(parse_menu("auto"), (waiting_config(),))
    for line in SERIAL_MENU:
        hands.serial(line, 5.0)
    pressed = [one for _, one in played(hands, standing(blank_look, 5.5, 30.0)) if isinstance(one, Press)]
    assert [(one.chords, one.serial) for one in pressed] == [((ENTER,), False), ((ENTER,), True)]


def test_a_loader_that_went_on_gets_no_second_key_on_the_serial_port() -> None:
    hands = MenuHands(parse_menu("auto"), (waiting_config(),))
    for line in SERIAL_MENU:
        hands.serial(line, 5.0)
    assert len(presses(played(hands, standing(blank_look, 5.5, 3.0)))) == 1
    hands.serial("  Booting `Live system'", 9.0)
    assert not played(hands, standing(blank_look, 9.5, 60.0))


@pytest.mark.parametrize("where", ["screen", "serial"])
def test_a_loader_with_serial_input_gets_its_key_there(where: str) -> None:
    config = replace(waiting_config(), serial_input=True)
    hands = MenuHands(parse_menu("auto"), (config,))
    for line in SERIAL_MENU if where == "serial" else ():
        hands.serial(line, 5.0)
    draw = grub if where == "screen" else blank_look
    pressed = [one for _, one in played(hands, standing(draw, 5.5, 3.0)) if isinstance(one, Press)]
    assert [(typed(one.chords), one.serial) for one in pressed] == [("\r", True)]


@pytest.mark.parametrize(
    "last", ["grub> ", "Enter passphrase for hd0,gpt2 (12): ", "demo login: ", "sh-5.2# "]
)
def test_what_else_stands_on_the_serial_port_gets_no_key(last: str) -> None:
    hands = MenuHands(parse_menu("auto"))
    for line in (*SERIAL_MENU, last):
        hands.serial(line, 5.0)
    assert not presses(played(hands, standing(blank_look, 6.0, 60.0)))


@pytest.mark.parametrize("what", ["screen", "medium", "kernel"])
def test_a_menu_on_the_serial_port_that_went_on_silently_gets_no_key(what: str) -> None:
    hands = MenuHands(parse_menu("auto"), (waiting_config(),))
    hands.look(blank_look(4.0))
    for line in SERIAL_MENU:
        hands.serial(line, 5.0)
    if what == "kernel":
        hands.read("/live/vmlinuz", 5.2)
    elif what == "medium":
        hands.read("/live/filesystem.squashfs", 7.0)
    first = picture_look(7.0, 3) if what == "screen" else blank_look(7.0)
    done = [*hands.look(first)] if what != "medium" else []
    done += [
        one
        for look in standing(lambda t: first.__class__(t, first.picture, None), 7.5, 60.0)
        for one in hands.look(look)
    ]
    assert not done


def test_a_countdown_on_the_serial_port_is_left_alone() -> None:
    hands = MenuHands(parse_menu("auto"))
    for line in SERIAL_MENU:
        hands.serial(line, 5.0)
    for second in range(10):
        hands.serial(
            f"   The highlighted entry will be executed automatically in {9 - second}s.", 6.0 + second
        )
        assert not hands.look(blank_look(6.5 + second))


def test_a_menu_that_is_drawn_after_a_key_that_came_too_early_gets_its_own() -> None:
    """A background that is still for a while, as where GRUB plays a tune before it draws its menu."""
    hands = MenuHands(parse_menu("auto"), (waiting_config(),))
    hands.loader()
    hands.read("/boot/grub/grub.cfg", 1.0)
    looks = [*standing(lambda t: picture_look(t, 1), 2.0, 4.0), *standing(grub, 7.0, 4.0)]
    assert [chords for _, chords in presses(played(hands, looks))] == [(ENTER,), (ENTER,)]
    assert outcomes(played(hands, standing(grub, 14.0, 40.0))) == [MenuOutcome.NO_REACTION]


def test_a_menu_that_stays_on_the_screen_while_its_kernel_is_read_has_not_come_back() -> None:
    hands = MenuHands(parse_menu("auto"), (waiting_config(),))
    ((t, _),) = presses(played(hands, standing(grub, 2.0, 3.0)))
    hands.look(blank_look(t + 1))
    for second in range(2, 20):
        hands.read("/live/vmlinuz", t + second)
        assert not hands.look(grub(t + second + 0.5))


def test_a_picture_that_a_silent_kernel_leaves_on_the_screen_gets_no_key() -> None:
    """A themed menu whose kernel has another name on the medium than in the configuration."""
    hands = MenuHands(parse_menu("auto"), (waiting_config(),))
    hands.loader()
    hands.read("/boot/grub/grub.cfg", 1.0)
    menu = standing(lambda t: picture_look(t, 1), 2.0, 4.0)
    (pressed,) = presses(played(hands, menu))
    hands.read("/live/kernel", pressed[0] + 0.2)
    hands.read("/live/initrd.img", pressed[0] + 6)
    left = standing(lambda t: picture_look(t, 2), pressed[0] + 1, 20)
    assert not played(hands, left)
    hands.started()
    assert not played(hands, standing(lambda t: picture_look(t, 2), 30, 60))


@pytest.mark.parametrize("why", ["counts", "kernel read", "picture moves", "medium is read", "blank"])
def test_an_unread_picture_gets_no_key(why: str) -> None:
    config = (
        MenuConfig("/boot/grub/grub.cfg", MenuKind.GRUB, ENTRIES, 0, 10.0)
        if why == "counts"
        else waiting_config()
    )
    hands = MenuHands(parse_menu("auto"), (config,))
    hands.read("/boot/grub/grub.cfg", 1.0)
    for at in range(40):
        t = 2.0 + at * 0.5
        if why == "kernel read":
            hands.read("/live/vmlinuz", 1.5)
        if why == "medium is read":
            hands.read("/boot/grub/theme.png", t)
        look = blank_look(t) if why == "blank" else picture_look(t, at if why == "picture moves" else 9)
        assert not presses([(t, one) for one in hands.look(look)])


def test_wait_leaves_the_menu_alone_and_ends() -> None:
    done = played(MenuHands(parse_menu("wait")), standing(grub, 0.0, 20.0))
    assert not presses(done)
    assert outcomes(done) == [MenuOutcome.WAITS]


def test_list_names_the_entries_that_the_screen_shows() -> None:
    done = played(MenuHands(parse_menu("list")), standing(grub, 0.0, 20.0))
    (stop,) = [one for _, one in done if isinstance(one, Stop)]
    assert stop.outcome is MenuOutcome.LISTED
    assert stop.menu is not None
    assert stop.menu.entries == ENTRIES


def test_off_does_nothing() -> None:
    assert not played(MenuHands(parse_menu("off")), standing(grub, 0.0, 60.0))


class Machine:
    """A menu that reacts to keys, a submenu below its last entry included."""

    def __init__(self, menus: dict[str, tuple[str, ...]], *, wraps: bool) -> None:
        self.menus, self.wraps = menus, wraps
        self.menu, self.at = "", 1
        self.started = ""

    def press(self, chord: tuple[str, ...]) -> None:
        entries = self.menus[self.menu]
        if chord == HOME:
            self.at = 0
        elif chord == DOWN:
            self.at = (self.at + 1) % len(entries) if self.wraps else min(self.at + 1, len(entries) - 1)
        elif chord == ENTER:
            entry = entries[self.at]
            if entry in self.menus:
                self.menu, self.at = entry, 0
            else:
                self.started = entry

    def run(self, hands: MenuHands, seconds: float = 120.0) -> list[tuple[float, Instruction]]:
        done: list[tuple[float, Instruction]] = []
        for at in range(int(seconds / 0.5)):
            t = at * 0.5
            look = blank_look(t) if self.started else grub(t, self.at, entries=self.menus[self.menu])
            for one in hands.look(look):
                done.append((t, one))
                for chord in one.chords if isinstance(one, Press) else ():
                    self.press(chord)
        return done


MENUS = {
    "": ("Live system", "Live system (fail-safe)", "Advanced options"),
    "Advanced options": ("Text install", "Rescue"),
}


@pytest.mark.parametrize("wraps", [True, False])
@pytest.mark.parametrize(
    ("wanted", "started"),
    [
        ("1", "Live system"),
        ("2", "Live system (fail-safe)"),
        ("live system", "Live system"),
        ("fail-safe", "Live system (fail-safe)"),
        ("Advanced options>Rescue", "Rescue"),
        ("3>1", "Text install"),
    ],
)
def test_an_entry_is_chosen_by_number_and_by_text(wanted: str, started: str, wraps: bool) -> None:
    machine = Machine(MENUS, wraps=wraps)
    done = machine.run(MenuHands(parse_menu(wanted)))
    assert machine.started == started
    assert not outcomes(done)


@pytest.mark.parametrize("wraps", [True, False])
@pytest.mark.parametrize("wanted", ["Windows", "9", "Advanced options>Windows"])
def test_an_entry_that_is_not_there_starts_nothing_and_lists_those_that_are(wanted: str, wraps: bool) -> None:
    machine = Machine(MENUS, wraps=wraps)
    done = machine.run(MenuHands(parse_menu(wanted)))
    assert outcomes(done) == [MenuOutcome.NO_ENTRY]
    assert not machine.started
    (detail,) = [one.detail for _, one in done if isinstance(one, Stop)]
    assert MENUS[machine.menu][0] in detail


def test_a_label_is_typed_at_a_boot_prompt() -> None:
    done = played(MenuHands(parse_menu("rescue64")), standing(prompt, 0.0, 3.0))
    assert presses(done)[0][1] == (*chords_of("rescue64"), ENTER)


def test_a_timed_prompt_whose_line_stays_has_not_come_back() -> None:
    line = "Press any key to boot from CD or DVD"
    looks = [
        text_look(1.0 + at * 0.5, [line + "." * min(at, 2), *["ISOLINUX"] * (at > 2)]) for at in range(20)
    ]
    done = played(MenuHands(parse_menu("auto")), looks)
    assert len(presses(done)) == 1
    assert not outcomes(done)


@pytest.mark.parametrize("rows_a_look", [0.5, 1, 3])
def test_a_menu_that_is_drawn_row_by_row_is_waited_for(rows_a_look: float) -> None:
    hands = MenuHands(parse_menu("Advanced options>Rescue"))
    machine = Machine(MENUS, wraps=True)
    since = 0
    for at in range(400):
        entries = machine.menus[machine.menu]
        drawn = [entry if number < (at - since) * rows_a_look else "" for number, entry in enumerate(entries)]
        look = blank_look(at * 0.3) if machine.started else grub(at * 0.3, machine.at, entries=tuple(drawn))
        for one in hands.look(look):
            assert not isinstance(one, Stop), one.detail
            for chord in one.chords if isinstance(one, Press) else ():
                before = machine.menu
                machine.press(chord)
                since = since if machine.menu == before else at
    assert machine.started == "Rescue"


def test_a_hidden_menu_gets_a_key_that_shows_it_and_one_that_answers_it() -> None:
    hidden = MenuConfig("/isolinux/isolinux.cfg", MenuKind.SYSLINUX, ENTRIES, 0, None, hidden=True)
    line = ["", "                Automatic boot in 0 seconds..."]
    looks = [
        *standing(lambda t: text_look(t, line), 1.0, 3.0),
        *standing(syslinux, 8.0, 4.0),
        *standing(blank_look, 13.0, 20.0),
    ]
    assert [chords for _, chords in presses(played(MenuHands(parse_menu("auto"), (hidden,)), looks))] == [
        (ENTER,),
        (ENTER,),
    ]


def test_a_hidden_menu_that_cannot_be_read_is_answered_within_three_seconds_each_time() -> None:
    hidden = MenuConfig("/isolinux/isolinux.cfg", MenuKind.SYSLINUX, ENTRIES, 0, None, hidden=True)
    hands = MenuHands(parse_menu("auto"), (hidden,))
    hands.loader()
    looks = [
        *standing(lambda t: picture_look(t, 10), 1.0, 3.0),
        *standing(lambda t: picture_look(t, 90), 5.0, 3.0),
    ]
    (first, _), (second, _) = presses(played(hands, looks))
    assert (first - 1.0 <= 3.0, second - 5.0 <= 3.0) == (True, True)


def test_a_hidden_menu_that_comes_back_after_its_entry_is_a_failure() -> None:
    hidden = MenuConfig("/isolinux/isolinux.cfg", MenuKind.SYSLINUX, ENTRIES, 0, None, hidden=True)
    line = ["", "                Automatic boot in 0 seconds..."]
    looks = [
        *standing(lambda t: text_look(t, line), 1.0, 3.0),
        *standing(syslinux, 8.0, 4.0),
        *standing(blank_look, 13.0, 2.0),
        *standing(syslinux, 16.0, 9.0),
    ]
    done = played(MenuHands(parse_menu("auto"), (hidden,)), looks)
    assert (len(presses(done)), outcomes(done)) == (2, [MenuOutcome.RETURNED])


def test_a_menu_that_comes_back_at_once_is_a_failure_though_the_loader_read_a_file() -> None:
    hands = MenuHands(parse_menu("auto"))
    done = played(hands, standing(grub, 1.0, 2.0))
    hands.read("/boot/grub/i386-pc/true.mod", 3.2)
    done += played(hands, standing(grub, 3.5, 60.0))
    assert (len(presses(done)), outcomes(done)) == (1, [MenuOutcome.RETURNED])


def test_a_menu_stays_on_the_screen_while_its_kernel_is_started() -> None:
    config = MenuConfig(
        "/boot/grub/grub.cfg", MenuKind.GRUB, ENTRIES, 0, None, kernels=frozenset({"/vmlinuz"})
    )
    hands = MenuHands(parse_menu("auto"), (config,))
    done = played(hands, standing(grub, 1.0, 2.0))
    hands.read("/vmlinuz", 3.2)
    done += played(hands, standing(grub, 3.5, 60.0))
    assert (len(presses(done)), outcomes(done)) == (1, [])


@pytest.mark.parametrize("note", ["   Boots in 9 seconds", "Loading /vmlinuz... ok"])
def test_a_menu_that_a_silent_kernel_leaves_on_the_screen_has_not_come_back(note: str) -> None:
    config = MenuConfig(
        "/isolinux.cfg", MenuKind.SYSLINUX, ENTRIES, 0, 10.0, True, kernels=frozenset({"/vmlinuz"})
    )
    hands = MenuHands(parse_menu("auto"), (config,))
    done = played(hands, [syslinux(1.0, "   Boots in 10 seconds")])
    hands.read("/vmlinuz", 1.4)
    done += played(hands, standing(lambda t: syslinux(t, note), 1.5, 30.0))
    assert (len(presses(done)), outcomes(done)) == (1, [])


def test_a_guarded_entry_asks_for_a_password_though_its_prompt_cannot_be_read() -> None:
    guarded = frozenset({ENTRIES[0]})
    hands = MenuHands(
        parse_menu("auto"),
        (MenuConfig("/isolinux.cfg", MenuKind.SYSLINUX, ENTRIES, 0, None, guarded=guarded),),
    )
    hands.loader()
    looks = [
        *standing(lambda t: picture_look(t, 10), 1.0, 3.0),
        *standing(lambda t: picture_look(t, 90), 5.0, 60.0),
    ]
    done = played(hands, looks)
    assert (len(presses(done)), outcomes(done)) == (1, [MenuOutcome.PASSPHRASE])


def test_the_echo_of_a_prompt_on_the_serial_port_is_not_a_second_prompt() -> None:
    config = MenuConfig(
        "/isolinux/isolinux.cfg", MenuKind.PROMPT, ("live",), 0, None, kernels=frozenset({"/vmlinuz"})
    )
    hands = MenuHands(parse_menu("auto"), (config,))
    hands.serial("boot: ", 1.0)
    done = played(hands, standing(prompt, 1.0, 1.5))
    hands.serial("boot:", 2.6)
    done += played(hands, standing(prompt, 2.6, 1.0))
    hands.read("/vmlinuz", 2.6)  # reported later than it was read
    done += played(hands, standing(prompt, 4.0, 60.0))
    assert (len(presses(done)), outcomes(done)) == (1, [])


def disk_first(*, guest_has_disk: bool) -> MenuHands:
    """Hands at a menu whose first entry boots the local disk, the second a memory test, the third a system."""
    entries = (None, "/boot/memtest", "/live/vmlinuz")
    rows = tuple(
        MenuRow(
            path=(title,),
            entry=MenuEntry(title=title, kernel=kernel, initrds=(), arguments="", source="")
            if kernel
            else None,
            runs="" if kernel else "localboot 0x80",
        )
        for title, kernel in zip(ENTRIES, entries, strict=True)
    )
    config = MenuConfig("/boot/grub/grub.cfg", MenuKind.GRUB, ENTRIES, 0, 20.0, rows=rows)
    return MenuHands(parse_menu("auto"), (config,), has_disk=guest_has_disk)


def test_a_menu_that_boots_a_disk_that_is_not_there_is_moved_to_its_first_system() -> None:
    hands, chosen, t = disk_first(guest_has_disk=False), 0, 1.0
    done: list[Instruction] = []
    while t < 20.0 and not any(isinstance(one, Press) and one.answers for one in done):
        note = (
            f"   The highlighted entry will be executed automatically in {int(20 - t)}s." if not done else ""
        )
        now = hands.look(grub(t, chosen, note))
        chosen += sum(one.chords == (DOWN,) for one in now if isinstance(one, Press))
        done, t = done + now, t + 0.5
    assert [one.chords for one in done if isinstance(one, Press)] == [(HOME,), (DOWN,), (DOWN,), (ENTER,)]
    assert chosen == 2


def test_a_menu_that_boots_a_disk_is_left_alone_where_there_is_one() -> None:
    hands = disk_first(guest_has_disk=True)
    looks = [grub(float(t), note=f"   executed automatically in {9 - t}s.") for t in range(9)]
    assert not played(hands, looks)
