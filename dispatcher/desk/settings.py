"""What the desk can be told, beside what every service is told."""

import ipaddress
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from dispatcher.push_settings import PushSettings
from infra.throttle import Network
from schemas.vocabulary import Role


class DeskSettings(PushSettings):
    """Settings of `patriot desk`; each is `PATRIOT_<NAME>` in the environment."""

    #: Connections to PostgreSQL.
    desk_connections: int = Field(default=8, ge=1, le=100)
    #: Refused sign-ins a minute for one name from one address; beyond: 429. The account stays open to other addresses.
    sign_ins_per_minute: int = Field(default=10, ge=1)
    #: Refused sign-ins a minute from one address, whatever the names.
    sign_ins_per_address_per_minute: int = Field(default=60, ge=1)
    #: Wrong codes a minute of the second factor for one name, wherever they come from; the password was right.
    second_factors_per_minute: int = Field(default=5, ge=1)
    #: Roles that have to set up a second factor before a new session is good for anything else; comma-separated.
    totp_required: Annotated[tuple[Role, ...], NoDecode] = ()
    #: Tracking codes a minute from one address that we never gave out; beyond: 429.
    wrong_codes_per_minute: int = Field(default=20, ge=1)
    #: Days that reporters' photos are kept after their incident has ended. They show more of people than words do, and
    #: fill the disk.
    photo_days: int = Field(default=365, ge=15, le=36_500)
    #: Addresses or networks of our own proxies, comma-separated: only what they say of `X-Forwarded-For` is believed.
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()

    @field_validator("totp_required", mode="before")
    @classmethod
    def _roles(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in value.split(",") if part.strip())
        return value
