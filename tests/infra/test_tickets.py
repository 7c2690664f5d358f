"""Feed tickets: what was issued is admitted for 30 s, what was touched never."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.tickets import LIFETIME, TicketError, Viewer, issue, verify
from schemas.place import AgencyRef
from schemas.vocabulary import Role

SECRET = bytes(range(32))
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
OFFICER = Viewer(role=Role.OFFICER, subject="budi", agencies=(AgencyRef.parse("32.75/DISHUB"),), kecamatan="32.75.03")


def test_a_ticket_says_who_comes_and_until_when() -> None:
    ticket, expires_at = issue(SECRET, OFFICER, NOW)
    admission = verify(SECRET, ticket, NOW + LIFETIME - timedelta(seconds=1))
    assert admission.viewer == OFFICER
    assert admission.expires_at == expires_at == NOW + timedelta(seconds=30)


def test_each_has_a_nonce_of_its_own() -> None:
    nonces = {verify(SECRET, issue(SECRET, Viewer(), NOW)[0], NOW).nonce for _ in range(100)}
    assert len(nonces) == 100


def test_an_old_one_is_expired() -> None:
    ticket, _ = issue(SECRET, Viewer(), NOW)
    with pytest.raises(TicketError, match="expired"):
        verify(SECRET, ticket, NOW + LIFETIME)


def test_another_citys_is_forged() -> None:
    ticket, _ = issue(bytes(32), Viewer(role=Role.ADMIN), NOW)
    with pytest.raises(TicketError, match="forged"):
        verify(SECRET, ticket, NOW)


def test_no_changed_letter_is_admitted_as_somebody_else() -> None:
    ticket, _ = issue(SECRET, OFFICER, NOW)
    for place in range(len(ticket)):
        changed = ticket[:place] + ("A" if ticket[place] != "A" else "B") + ticket[place + 1 :]
        try:
            assert verify(SECRET, changed, NOW).viewer == OFFICER  # padding bits of base64 that mean nothing
        except TicketError:
            pass


@given(st.text(max_size=200))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(TicketError):
        verify(SECRET, text, NOW)
