from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hiperlab.stick.exfat import records

UPCASE = records.build_upcase()
NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"*/:<>?\\|'), min_size=1, max_size=120
)


def test_the_upcase_table_survives_its_stored_form() -> None:
    assert records.expand_upcase(records.compress_upcase(UPCASE)) == UPCASE


@given(st.binary(max_size=400))
def test_any_bytes_expand_to_a_whole_table(data: bytes) -> None:
    assert len(records.expand_upcase(data)) == 0x10000


@given(
    NAMES,
    st.integers(2, 2**32 - 10),
    st.integers(0, 2**63),
    st.booleans(),
    st.datetimes(timezones=st.just(UTC)),
)
def test_entry_sets_survive(name: str, cluster: int, size: int, contiguous: bool, when: datetime) -> None:
    if records.name_problem(name):
        return
    raw = records.encode_set(
        name,
        attributes=0x20,
        cluster=cluster,
        size_bytes=size,
        contiguous=contiguous,
        when=when,
        upcase=UPCASE,
    )
    (found,) = records.decode_sets(raw)
    assert (found.name, found.cluster, found.size_bytes, found.contiguous) == (
        name,
        cluster,
        size,
        contiguous,
    )
    assert not found.is_directory
    if 1980 <= when.year <= 2107:
        assert found.modified is not None and abs((found.modified - when).total_seconds()) <= 2


@given(st.binary(max_size=2048))
def test_hostile_directories_end(data: bytes) -> None:
    records.decode_sets(data)


@given(st.binary(min_size=512, max_size=512))
def test_hostile_boot_sectors(sector: bytes) -> None:
    framed = b"\xeb\x76\x90EXFAT   " + sector[11:510] + b"\x55\xaa"
    boot = records.BootSector.decode(framed)
    assert boot is None or 512 <= boot.sector_bytes <= 4096


def test_names_that_no_exfat_can_hold() -> None:
    for name in ("", ".", "..", "a/b", 'a"b', "a:b", "a\x1f", "x" * 256, "trailing ", "trailing.", "\ud800"):
        assert records.name_problem(name), name
    for name in ("a", "x" * 255, "it's (a) [name] $x.iso", "日本.iso", "a;b`c%.iso"):
        assert not records.name_problem(name), name


def test_letter_case_counts_for_nothing() -> None:
    assert records.fold_name("Ünï.Iso", UPCASE) == records.fold_name("üNÏ.iSO", UPCASE)
