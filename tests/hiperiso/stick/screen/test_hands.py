"""Keys, mice and their movements, as events of the kernel, reported to the guest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.stick.screen.hands import EVENT, LEFT_CTRL, RIGHT_CTRL, Deeds, Hands, Wish
from hiperiso.stick.screen.rfb import key_event, pointer_event

A, Q, UP, DELETE = 30, 16, 103, 111
LEFT, RIGHT, MIDDLE = 0x110, 0x111, 0x112
REST = 0x7FFF
SYNC = (0, 0, 0)


def events(*items: tuple[int, int, int]) -> bytes:
    return b"".join(EVENT.pack(1, 2, *item) for item in items)


def key(code: int, value: int) -> tuple[int, int, int]:
    return (1, code, value)


@pytest.fixture
def hands() -> Hands:
    hands = Hands()
    assert hands.listen(guest=True) == b""
    return hands


def test_keys_are_sent_by_their_position(hands: Hands) -> None:
    deeds = hands.feed(events(key(A, 1), SYNC, key(A, 2), SYNC, key(A, 0), SYNC))
    assert deeds == Deeds(
        key_event(0x1E, down=True) + key_event(0x1E, down=True) + key_event(0x1E, down=False), (), True
    )
    reported = hands.feed(events(key(UP, 1), key(DELETE, 1), key(UP, 0), key(DELETE, 0))).to_guest
    assert reported == b"".join(
        key_event(code, down=down)
        for code, down in [(0xC8, True), (0xD3, True), (0xC8, False), (0xD3, False)]
    )


@pytest.mark.parametrize("code", [0, 84, 240, 0x2FF, 0x120])
def test_keys_that_no_pc_has_are_left_out(hands: Hands, code: int) -> None:
    assert hands.feed(events(key(code, 1), key(code, 0))).to_guest == b""


def test_a_key_that_went_down_before_is_not_let_go(hands: Hands) -> None:
    assert hands.feed(events(key(28, 0))).to_guest == b""


def test_the_mouse_sends_movements(hands: Hands) -> None:
    deeds = hands.feed(events((2, 0, 5), (2, 1, -3), SYNC, key(LEFT, 1), SYNC, key(LEFT, 0), SYNC, SYNC))
    assert deeds.to_guest == pointer_event(REST + 5, REST - 3, 0) + pointer_event(
        REST, REST, 1
    ) + pointer_event(REST, REST, 0)
    assert hands.feed(events(key(RIGHT, 1), key(MIDDLE, 1), SYNC)).to_guest == pointer_event(REST, REST, 6)


def test_the_wheel_is_two_buttons(hands: Hands) -> None:
    up = hands.feed(events((2, 8, 1), SYNC)).to_guest
    assert up == pointer_event(REST, REST, 0) + pointer_event(REST, REST, 8) + pointer_event(REST, REST, 0)
    assert len(hands.feed(events((2, 8, -1000000), SYNC)).to_guest) <= 6 * 41


def test_a_guest_with_places_hears_places(hands: Hands) -> None:
    hands.absolute, hands.size_px = True, (100, 50)
    assert hands.feed(events((2, 0, 30), (2, 1, 999), SYNC)).to_guest == pointer_event(30, 49, 0)
    assert hands.feed(events((2, 0, -31), SYNC)).to_guest == pointer_event(0, 49, 0)


def test_both_ctrl_keys_switch_when_they_are_up_again(hands: Hands) -> None:
    assert (
        hands.feed(events(key(A, 1), key(LEFT_CTRL, 1), key(RIGHT_CTRL, 1), key(RIGHT_CTRL, 2))).wishes == ()
    )
    assert hands.feed(events(key(LEFT_CTRL, 0))).wishes == ()
    assert hands.feed(events(key(RIGHT_CTRL, 0))).wishes == (Wish.SWITCH,)
    assert hands.listen(guest=False) == key_event(0x1E, down=False)
    both = [key(RIGHT_CTRL, 1), key(LEFT_CTRL, 1), key(RIGHT_CTRL, 0), key(LEFT_CTRL, 0)]
    assert hands.feed(events(key(A, 0), *both)) == Deeds(b"", (Wish.SWITCH,), True)


@pytest.mark.parametrize("code", [LEFT_CTRL, RIGHT_CTRL])
def test_one_ctrl_key_is_the_guests(hands: Hands, code: int) -> None:
    deeds = hands.feed(events(key(code, 1), key(A, 1), key(A, 0), key(code, 0), key(code, 1), key(code, 0)))
    assert deeds.wishes == () and len(deeds.to_guest) == 6 * 12


def test_q_ends_only_where_the_log_is_shown(hands: Hands) -> None:
    assert hands.feed(events(key(Q, 1), key(Q, 0))).wishes == ()
    hands.listen(guest=False)
    assert hands.feed(events(key(Q, 1), (2, 0, 5), SYNC)) == Deeds(b"", (Wish.END,), True)


def test_lost_events_leave_nothing_pressed(hands: Hands) -> None:
    hands.feed(events(key(A, 1), key(LEFT, 1), SYNC))
    assert hands.feed(events((0, 3, 0))).to_guest == key_event(0x1E, down=False) + pointer_event(
        REST, REST, 0
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 0x2FF), st.integers(-(2**31), 2**31 - 1)), max_size=60
    )
)
def test_whatever_devices_say_what_went_down_comes_up(items: list[tuple[int, int, int]]) -> None:
    hands = Hands()
    hands.listen(guest=True)
    reported = hands.feed(events(*items)).to_guest + hands.listen(guest=False)
    down: set[bytes] = set()
    buttons = 0
    while reported:
        if reported[0] == 255:
            (down.add if reported[3] else down.discard)(reported[8:12])
            reported = reported[12:]
        else:
            buttons, reported = reported[1], reported[6:]
    assert not down and not buttons
