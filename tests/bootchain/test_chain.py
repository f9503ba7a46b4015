"""The engine, sentence by sentence and by its invariants."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootchain.chain import NATIVE, PIPELINE, PSEUDO_STEPS, RETRY_DELAY_S, TRIES, Chain
from bootchain.events import (
    EXHAUSTED,
    FAILED,
    READY,
    Begin,
    BypassAsked,
    ChainEvent,
    ChainReplaced,
    Finish,
    ForegroundAsked,
    ForegroundReached,
    Instruction,
    LinkResult,
    LoopBroken,
    Note,
    Pause,
    Restart,
    RunStep,
    StepAbsent,
    StepEnded,
    StepMissing,
    StepSkipped,
    UndoLink,
)
from property_tests import examples


def last(instructions: list[Instruction]) -> Instruction:
    assert all(isinstance(note, (Note, Pause, UndoLink)) for note in instructions[:-1])
    return instructions[-1]


def step(instructions: list[Instruction]) -> RunStep:
    found = last(instructions)
    assert isinstance(found, RunStep)
    return found


def finish(instructions: list[Instruction]) -> Finish:
    found = last(instructions)
    assert isinstance(found, Finish)
    return found


def run_all(chain: Chain, codes: dict[str, int] | None = None) -> tuple[list[RunStep], Finish]:
    """Run to the end, each step with its code (0 when not given)."""
    ran = []
    answer = chain.handle(Begin())
    while not isinstance(answer[-1], Finish):
        ran.append(step(answer))
        answer = chain.handle(StepEnded((codes or {}).get(ran[-1].name, 0)))
    return ran, finish(answer)


def test_steps_run_one_by_one_in_order() -> None:
    ran, _ = run_all(Chain(("a", "b", "c")))
    assert [(s.name, s.number, s.previous) for s in ran] == [("a", 0, None), ("b", 1, 0), ("c", 2, 1)]


def test_callnum_counts_the_calls_of_each_name() -> None:
    ran, _ = run_all(Chain(("m", "x", "m", "m", "x")))
    assert [s.callnum for s in ran] == [0, 0, 1, 2, 1]


def test_failed_step_runs_five_times_in_all_two_seconds_apart() -> None:
    chain = Chain(("a",))
    answer = chain.handle(Begin())
    pauses = []
    for attempt in range(1, 6):
        assert (step(answer).attempt, step(answer).callnum, step(answer).number) == (attempt, 0, 0)
        answer = chain.handle(StepEnded(1))
        pauses += [p.delay_s for p in answer if isinstance(p, Pause)]
    assert pauses == [2.0] * 4
    end = finish(answer)
    assert end.outcome == FAILED
    assert end.message == "step 0 (a) failed with code 1: tried 5 times in all, giving up"


@pytest.mark.parametrize(("tries", "times"), [(1, 1), (3, 3), (7, 7)])
def test_pipe_retry_limits_the_tries(tries: int, times: int) -> None:
    ran, end = run_all(Chain(("a",), tries=tries), {"a": 1})
    assert len(ran) == times
    assert end.outcome == FAILED


def test_step_that_succeeds_later_goes_on() -> None:
    chain = Chain(("a", "b"))
    chain.handle(Begin())
    chain.handle(StepEnded(1))
    assert step(chain.handle(StepEnded(0))).name == "b"


def test_noretry_ends_at_the_first_failure_of_a_following_step() -> None:
    ran, end = run_all(Chain(("a", "noretry", "b", "c")), {"b": 3})
    assert [s.name for s in ran] == ["a", "b"]
    assert end.message == "step 1 (b) failed with code 3, and repeating is forbidden (noretry)"


def test_retry_allows_repeating_again() -> None:
    ran, _ = run_all(Chain(("noretry", "a", "retry", "b")), {"b": 3})
    assert [s.name for s in ran] == ["a"] + ["b"] * 5


def test_code_2_is_a_failure_in_native_mode() -> None:
    ran, end = run_all(Chain(("a", "b"), mode=NATIVE), {"a": 2})
    assert len(ran) == TRIES
    assert end.outcome == FAILED
    ran, end = run_all(Chain(("noretry", "a", "b"), mode=NATIVE), {"a": 2})
    assert (len(ran), end.outcome) == (1, FAILED)


def test_code_2_ends_the_loop_in_pipeline_mode() -> None:
    ran, end = run_all(Chain(("a", "b", "c"), mode=PIPELINE), {"b": 2})
    assert [s.name for s in ran] == ["a", "b"]
    assert (end.outcome, end.number, end.previous) == (READY, 1, 0)
    assert "code 2" in end.message


def test_code_2_is_not_a_failure_after_noretry_in_pipeline_mode() -> None:
    _, end = run_all(Chain(("noretry", "a"), mode=PIPELINE), {"a": 2})
    assert end.outcome == READY


def test_other_codes_are_repeated_with_a_limit_in_pipeline_mode() -> None:
    ran, end = run_all(Chain(("a",), mode=PIPELINE), {"a": 1})
    assert (len(ran), end.outcome) == (TRIES, FAILED)


def test_pseudo_steps_take_no_number() -> None:
    ran, _ = run_all(Chain(("retry", "a", "noretry", "retry", "b", "noop", "c")))
    assert [(s.name, s.number) for s in ran] == [("a", 0), ("b", 1), ("c", 2)]


def test_noop_hides_the_previous_result_from_the_next_step_only() -> None:
    ran, _ = run_all(Chain(("a", "noop", "b", "c")))
    assert [s.previous for s in ran] == [None, None, 1]


def test_break_counts_when_the_step_ends_with_0() -> None:
    chain = Chain(("a", "b", "c"))
    chain.handle(Begin())
    chain.handle(StepEnded(0))
    chain.handle(LoopBroken())
    end = finish(chain.handle(StepEnded(0)))
    assert (end.outcome, end.message, end.number, end.previous) == (READY, "step 1 (b) ended the chain", 1, 0)


def test_break_and_a_failure_end_the_chain_at_once() -> None:
    chain = Chain(("a", "b"))
    chain.handle(Begin())
    chain.handle(LoopBroken())
    end = finish(chain.handle(StepEnded(1)))
    assert end.outcome == FAILED
    assert end.message == "step 0 (a) failed with code 1 after it had ended the chain (break_bc_loop)"


def test_break_and_code_2_end_a_pipeline() -> None:
    chain = Chain(("a", "b"), mode=PIPELINE)
    chain.handle(Begin())
    chain.handle(LoopBroken())
    assert finish(chain.handle(StepEnded(2))).outcome == READY


def test_chain_is_replaced_after_the_step() -> None:
    chain = Chain(("a", "b"))
    chain.handle(Begin())
    chain.handle(ChainReplaced(("x", "y")))
    chain.handle(ChainReplaced(("z",)))
    following = step(chain.handle(StepEnded(0)))
    assert (following.name, following.number, following.previous) == ("z", 1, 0)
    end = finish(chain.handle(StepEnded(0)))
    assert end.outcome == EXHAUSTED
    assert end.message.startswith("the chain is exhausted: step 1 (z) was the last step")
    assert "(the chain was replaced by step 0 (a))" in end.message


def test_replacement_is_forgotten_when_the_step_fails() -> None:
    chain = Chain(("a", "b"))
    chain.handle(Begin())
    chain.handle(ChainReplaced(("x",)))
    chain.handle(StepEnded(1))
    assert step(chain.handle(StepEnded(0))).name == "b"


def test_loop_goes_round_until_its_condition_ends_it() -> None:
    chain = Chain(("menu", "never"))
    answer = chain.handle(Begin())
    for turn in range(50):
        menu = step(answer)
        assert (menu.name, menu.number, menu.callnum, menu.passed) == ("menu", turn * 2, 0, turn > 0)
        chain.handle(ChainReplaced(("work", "menu")))
        assert step(chain.handle(StepEnded(0))).number == turn * 2 + 1
        answer = chain.handle(StepEnded(0))
    chain.handle(LoopBroken())
    assert finish(chain.handle(StepEnded(0))).outcome == READY


def test_a_call_that_replaces_the_chain_is_not_counted() -> None:
    """As measured on the original: 0, 1, then 2, 3."""
    chain = Chain(("show", "show", "cont"))
    seen = [step(chain.handle(Begin())).callnum]
    seen.append(step(chain.handle(StepEnded(0))).callnum)
    assert step(chain.handle(StepEnded(0))).name == "cont"
    chain.handle(ChainReplaced(("show", "show", "cont")))
    seen.append(step(chain.handle(StepEnded(0))).callnum)
    seen.append(step(chain.handle(StepEnded(0))).callnum)
    assert seen == [0, 1, 2, 3]
    again = step(chain.handle(StepEnded(0)))
    assert (again.name, again.callnum) == ("cont", 0)


def test_a_step_without_a_script_is_passed_over() -> None:
    chain = Chain(("a", "gone", "gone", "b"))
    chain.handle(Begin())
    assert step(chain.handle(StepEnded(0))).name == "gone"
    answer = chain.handle(StepAbsent("no step-script 'gone'"))
    assert answer[0] == Note("the step gone is passed over: no step-script 'gone'")
    assert (step(answer).name, step(answer).number, step(answer).callnum) == ("gone", 1, 0)
    following = step(chain.handle(StepAbsent("no step-script 'gone'")))
    assert (following.name, following.number, following.previous) == ("b", 1, 0)
    assert chain.names == ["a", "b"]
    chain = Chain(("gone",))
    chain.handle(Begin())
    end = finish(chain.handle(StepAbsent("x")))
    assert end.outcome == EXHAUSTED
    assert end.message == "the chain is exhausted: there is no step-script for any of its steps (gone)"


def test_conditional_jump_replaces_only_when_asked() -> None:
    ran, _ = run_all(Chain(("if", "then")))
    assert [s.name for s in ran] == ["if", "then"]


def test_record_of_passed_steps() -> None:
    chain = Chain(("a", "a", "b"))
    assert not step(chain.handle(Begin())).passed
    assert not step(chain.handle(StepEnded(1))).passed
    assert step(chain.handle(StepEnded(0))).passed
    assert chain.passed == {"a"}


def test_step_with_a_result_is_skipped_and_counts() -> None:
    chain = Chain(("a", "a", "b"))
    chain.handle(Begin())
    following = step(chain.handle(StepSkipped()))
    assert (following.name, following.number, following.callnum, following.previous) == ("a", 1, 1, 0)
    assert "a" in chain.passed


def test_missing_step_ends_the_chain_without_repeating() -> None:
    chain = Chain(("a",))
    chain.handle(Begin())
    end = finish(chain.handle(StepMissing("no step-script 'a' in /lib")))
    assert (end.outcome, end.message) == (FAILED, "step 0 (a) cannot be started: no step-script 'a' in /lib")


def test_killed_step_says_so() -> None:
    _, end = run_all(Chain(("noretry", "a")), {"a": -9})
    assert end.message == "step 0 (a) was killed by signal 9, and repeating is forbidden (noretry)"


def test_empty_chain_says_what_to_do() -> None:
    ran, end = run_all(Chain(()))
    assert (ran, end.outcome) == ([], EXHAUSTED)
    assert end.message == "the chain is empty: name its steps with bootchain=step1,step2"


def test_bypass_links_to_the_previous_result() -> None:
    chain = Chain(("a", "b", "c"))
    chain.handle(Begin())
    chain.handle(StepEnded(0))
    assert chain.handle(BypassAsked())[-1] == LinkResult(number=1, source=0, target="")
    assert step(chain.handle(StepEnded(0))).previous == 1


def test_bypass_links_to_a_directory_outside() -> None:
    chain = Chain(("a", "b"))
    chain.handle(Begin())
    assert chain.handle(BypassAsked("/mnt/x"))[-1] == LinkResult(number=0, source=None, target="/mnt/x")


def test_bypass_without_a_previous_result_is_noted() -> None:
    chain = Chain(("a", "noop", "b", "c"))
    chain.handle(Begin())
    chain.handle(StepEnded(0))
    assert chain.handle(BypassAsked()) == [Note("step 1 (b): there is no previous result to pass on")]
    assert step(chain.handle(StepEnded(0))).name == "c"


def test_bypass_of_a_failed_step_is_undone() -> None:
    chain = Chain(("a", "b"))
    chain.handle(Begin())
    chain.handle(BypassAsked("/x"))
    assert chain.handle(StepEnded(1))[0] == UndoLink(0)
    assert UndoLink(0) not in chain.handle(StepEnded(1))


def test_bypass_before_code_2_of_a_pipeline_holds() -> None:
    chain = Chain(("a", "b"), mode=PIPELINE)
    chain.handle(Begin())
    chain.handle(BypassAsked("/x"))
    assert [type(i) for i in chain.handle(StepEnded(2))] == [Finish]


def test_fg_restarts_and_keeps_all_state() -> None:
    chain = Chain(("a", "noretry", "fg", "a", "b"), tries=3, retry_delay_s=0.5, mode=PIPELINE)
    chain.handle(Begin())
    answer = chain.handle(StepEnded(0))
    assert last(answer) == Restart()
    again = Chain.restore(chain.snapshot())
    assert again.snapshot() == chain.snapshot()
    following = step(again.handle(ForegroundReached(True)))
    assert (following.number, following.callnum, following.previous, following.passed) == (1, 1, 0, True)
    assert again.in_foreground
    assert finish(again.handle(StepEnded(1))).outcome == FAILED


def test_fg_without_a_terminal_stays_in_the_background() -> None:
    chain = Chain(("fg", "a"))
    assert last(chain.handle(Begin())) == Restart()
    assert step(chain.handle(ForegroundReached(False))).number == 0
    assert not chain.in_foreground


def test_second_fg_does_nothing() -> None:
    chain = Chain(("fg", "fg", "a"))
    chain.handle(Begin())
    assert step(chain.handle(ForegroundReached(True))).name == "a"


def test_foreground_can_be_asked_for_at_any_time() -> None:
    chain = Chain(("a", "b", "c"))
    chain.handle(Begin())
    assert chain.handle(ForegroundAsked()) == [Note("the foreground is asked for: before the next step")]
    assert step(chain.handle(StepEnded(1))).attempt == 2
    assert last(chain.handle(StepEnded(0))) == Restart()
    assert step(chain.handle(ForegroundReached(True))).name == "b"
    chain.handle(ForegroundAsked())
    assert step(chain.handle(StepEnded(0))).name == "c"


def test_events_that_do_not_fit_are_refused() -> None:
    chain = Chain(("a",))
    with pytest.raises(ValueError, match="no step runs"):
        chain.handle(StepEnded(0))
    chain.handle(Begin())
    with pytest.raises(ValueError, match="while step 'a' runs"):
        chain.handle(Begin())
    with pytest.raises(ValueError, match="no snapshot"):
        chain.snapshot()
    with pytest.raises(ValueError, match="unknown event"):
        chain.handle(ChainEvent())
    chain.handle(StepEnded(0))
    with pytest.raises(ValueError, match="over"):
        chain.handle(StepEnded(0))


def test_values_compare_and_show_their_fields() -> None:
    assert StepEnded(1) == StepEnded(1)
    assert StepEnded(1) != StepEnded(2)
    assert hash(StepEnded(1)) == hash(StepEnded(1))
    assert repr(StepMissing("x")) == "StepMissing(reason='x')"


ABSENT = 999
NAMES = st.sampled_from(["a", "b", "c", "mountfs", "fg", "noop", "noretry", "retry"])
CHAINS = st.lists(NAMES, max_size=8).map(tuple)
MOVES = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 0, 1, 2, 77, -9, None, ABSENT]),  # None: skipped
        st.sampled_from(["", "", "", "break", "chain", "bypass", "outside", "fg"]),
        CHAINS,
        st.booleans(),  # does the foreground work
    ),
    max_size=60,
)


@settings(max_examples=examples(400), deadline=None)
@given(CHAINS, st.sampled_from([NATIVE, PIPELINE]), st.integers(1, 6), MOVES)
def test_invariants(  # noqa: PLR0912
    names: tuple[str, ...],
    mode: str,
    tries: int,
    moves: list[tuple[int | None, str, tuple[str, ...], bool]],
) -> None:
    chain = Chain(names, mode=mode, tries=tries)
    calls: dict[str, int] = {}
    passed: set[str] = set()
    number = 0
    before: RunStep | None = None
    again = False
    answer = chain.handle(Begin())
    for code, wish, other, terminal in moves:
        while isinstance(last(answer), Restart):
            chain = Chain.restore(chain.snapshot())
            answer = chain.handle(ForegroundReached(terminal))
        if isinstance(answer[-1], Finish):
            break
        now = step(answer)
        assert now.name not in PSEUDO_STEPS
        if again:
            assert before is not None
            assert (now.name, now.number, now.callnum) == (before.name, before.number, before.callnum)
            assert now.attempt == before.attempt + 1 <= tries
            assert [p.delay_s for p in answer if isinstance(p, Pause)] == [RETRY_DELAY_S]
        else:
            assert (now.number, now.attempt, now.callnum) == (number, 1, calls.get(now.name, 0))
            assert not [p for p in answer if isinstance(p, Pause)]
            calls[now.name] = now.callnum + 1
            number += 1
        assert now.previous in (None, now.number - 1)
        assert now.passed == (now.name in passed)
        events: dict[str, ChainEvent] = {
            "break": LoopBroken(),
            "chain": ChainReplaced(other),
            "bypass": BypassAsked(),
            "outside": BypassAsked("/mnt"),
            "fg": ForegroundAsked(),
        }
        if code == ABSENT and now.attempt == 1:
            answer = chain.handle(StepAbsent("no script"))
            number -= 1
            calls[now.name] = now.callnum
            again = False
            continue
        bypassed = False
        if wish:
            asked = chain.handle(events[wish])
            bypassed = any(isinstance(instruction, LinkResult) for instruction in asked)
            assert bypassed == (wish == "outside" or (wish == "bypass" and now.previous is not None))
        pending = chain.pending
        answer = chain.handle(StepSkipped() if code is None else StepEnded(code))
        ok = code in (0, None)
        if ok and wish == "chain":
            calls[now.name] = now.callnum
        again = isinstance(answer[-1], RunStep) and not ok
        before = now
        undone = [i for i in answer if isinstance(i, UndoLink)]
        assert len(undone) == (bypassed and not ok and not (mode == PIPELINE and code == 2))
        if ok:
            passed.add(now.name)
            if wish == "break":
                assert finish(answer).outcome == READY
            elif isinstance(answer[-1], Finish):
                assert answer[-1].outcome == EXHAUSTED
        else:
            assert chain.pending == pending
            if mode == PIPELINE and code == 2:
                assert finish(answer).outcome == READY
            elif wish == "break":
                assert finish(answer).outcome == FAILED
            elif isinstance(answer[-1], Finish):
                assert answer[-1].outcome == FAILED
                assert now.attempt == tries or not chain.retry_allowed
    if isinstance(answer[-1], Finish):
        assert answer[-1].message
        assert (chain.outcome, chain.number, chain.passed) == (answer[-1].outcome, number, passed)
        assert all(chain.calls(name) == count for name, count in calls.items())
