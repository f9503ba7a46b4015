from hypothesis import given
from hypothesis import strategies as st

from hiperlab.stick.exfat.space import Bitmap, Run


def naive_runs(bits: list[bool]) -> list[Run]:
    runs: list[Run] = []
    for index, used in enumerate(bits):
        if not used:
            if runs and runs[-1].first + runs[-1].count == index + 2:
                runs[-1] = Run(runs[-1].first, runs[-1].count + 1)
            else:
                runs.append(Run(index + 2, 1))
    return runs


def bitmap_of(bits: list[bool]) -> Bitmap:
    value = sum(1 << index for index, used in enumerate(bits) if used)
    return Bitmap(value.to_bytes(-(-len(bits) // 8) + 1, "little"), len(bits))


RUNNY = st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=12).map(
    lambda pairs: [used for used, count in pairs for _ in range(count)]
)


@given(RUNNY)
def test_free_runs_are_those_of_the_bits(bits: list[bool]) -> None:
    bitmap = bitmap_of(bits)
    assert list(bitmap.free_runs()) == naive_runs(bits)
    assert bitmap.used_count() == sum(bits)


@given(RUNNY, st.integers(1, 200))
def test_what_is_found_is_free_enough_and_then_used(bits: list[bool], count: int) -> None:
    bitmap = bitmap_of(bits)
    runs = bitmap.find(count)
    if not runs:
        assert bits.count(False) < count
        return
    clusters = [run.first + index for run in runs for index in range(run.count)]
    assert len(clusters) == len(set(clusters)) == count
    assert not any(bits[cluster - 2] for cluster in clusters)
    if any(run.count >= count for run in naive_runs(bits)):
        assert len(runs) == 1  # in one piece where that is possible
    before = bitmap.used_count()
    bitmap.mark(runs)
    assert bitmap.used_count() == before + count
