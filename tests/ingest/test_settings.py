"""What ingest can be told."""

import ipaddress

import pytest
from pydantic import ValidationError

from ingest.settings import IngestSettings


def settings(**given: object) -> IngestSettings:
    return IngestSettings(secret="0" * 64, **given)  # type: ignore[arg-type]


def test_a_city_that_says_nothing_gets_twenty_reports_a_minute_and_believes_no_proxy() -> None:
    told = settings()
    assert told.anonymous_reports_per_minute == 20
    assert told.trusted_proxies == ()


def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATRIOT_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,2001:db8::1")
    assert settings().trusted_proxies == tuple(
        ipaddress.ip_network(each) for each in ("10.0.0.0/8", "192.0.2.1/32", "2001:db8::1/128")
    )


@pytest.mark.parametrize("wrong", [{"trusted_proxies": "nonsense"}, {"anonymous_reports_per_minute": -1}])
def test_a_wrong_value_stops_the_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)
