"""A roster file is read as a whole, and what is wrong is told by its line."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.roster import LONGEST, Shift, Wanted, clash, mistake, read_roster, same
from schemas.place import AgencyRef

HEADER = "officer_id,starts_at,ends_at,kecamatan\n"
DISHUB = AgencyRef.parse("32.75/DISHUB")
SIX = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)  # 06:00 of the next day in Jakarta
HOUR = timedelta(hours=1)


def a_shift(officer: str, starts_at: datetime, ends_at: datetime, kecamatan: str | None = None) -> Shift:
    return Shift(
        id="SHF-1",
        officer=officer,
        officer_name=officer,
        agency=DISHUB,
        starts_at=starts_at,
        ends_at=ends_at,
        kecamatan=kecamatan,
        put_by="rina",
        updated_at=SIX,
    )


def errors(text: str) -> list[tuple[int, str, str]]:
    return [(one.line, one.field, one.message) for one in read_roster(text)[1]]


def test_times_without_an_offset_are_jakartas() -> None:
    found, wrong = read_roster(HEADER + "budi,2026-11-23 06:00,2026-11-23T14:00:00+07:00,32.75.03\n")
    assert wrong == []
    assert found == [Wanted("budi", SIX, SIX + 8 * HOUR, "32.75.03", 2)]


def test_a_file_of_a_spreadsheet_is_read_too() -> None:
    text = "\ufeffofficer_id;starts_at;ends_at\r\nbudi;2026-11-23T06:00;2026-11-23T14:00\r\n\r\n"
    assert read_roster(text) == ([Wanted("budi", SIX, SIX + 8 * HOUR, None, 2)], [])


def test_each_line_that_cannot_be_used_is_named() -> None:
    text = HEADER + (
        "budi,2026-11-23T06:00,2026-11-23T14:00,\n"
        "ani,pagi,2026-11-23T14:00,\n"
        "\n"
        "siti,2026-11-23T06:00\n"
        ",2026-11-23T06:00,2026-11-23T14:00,\n"
        "budi,2026-11-23T13:00,2026-11-23T18:00,\n"
    )
    assert [(line, field) for line, field, _ in errors(text)] == [
        (3, "starts_at"),
        (5, ""),
        (6, "officer_id"),
        (7, "starts_at"),
    ]
    assert errors(text)[-1][2] == "overlaps line 2"


@pytest.mark.parametrize(
    "text", ["", "officer,from,to\n", "officer_id,starts_at\n", HEADER.strip() + ",kecamatan\n", 'officer_id,"\n']
)
def test_without_its_header_a_file_is_no_roster(text: str) -> None:
    assert errors(text)[0][0] == 1


def test_what_cannot_be_is_told_with_its_field() -> None:
    def wrong(start: datetime, end: datetime, kecamatan: str | None = None) -> str | None:
        found = mistake(Wanted("budi", start, end, kecamatan), DISHUB)
        return found[0] if found else None

    assert wrong(SIX, SIX + LONGEST) is None
    assert wrong(SIX, SIX + LONGEST + HOUR) == "ends_at"
    assert wrong(SIX, SIX) == "ends_at"
    assert wrong(SIX.replace(year=1970), SIX) == "starts_at"
    assert wrong(SIX, SIX + HOUR, "32.75.03") is None
    assert wrong(SIX, SIX + HOUR, "32.16.01") == "kecamatan", "of the other regency"
    assert wrong(SIX, SIX + HOUR, "nowhere") == "kecamatan"


@given(st.integers(0, 48), st.integers(1, 24), st.integers(0, 48), st.integers(1, 24))
def test_two_shifts_clash_exactly_when_some_moment_is_in_both(start: int, length: int, other: int, long: int) -> None:
    known = a_shift("budi", SIX + other * HOUR, SIX + (other + long) * HOUR)
    wanted = Wanted("budi", SIX + start * HOUR, SIX + (start + length) * HOUR)
    both = set(range(start, start + length)) & set(range(other, other + long))
    assert (clash(wanted, [known]) is known) == bool(both)
    assert clash(Wanted("ani", wanted.starts_at, wanted.ends_at), [known]) is None
    assert same(wanted, [known]) == ((start, length) == (other, long))


@given(st.text())
def test_whatever_the_file_is_it_is_read_or_refused_by_lines(text: str) -> None:
    found, wrong = read_roster(text)
    assert all(one.line >= 1 for one in wrong)
    assert all(one.starts_at.tzinfo is not None for one in found)
