"""What the desk and the dispatcher are told of web push."""

from typing import Annotated

from pydantic import field_validator
from pydantic_settings import NoDecode

from infra.settings import ServiceSettings


class PushSettings(ServiceSettings):
    """Of web push: the desk takes subscriptions, the dispatcher sends."""

    #: Hosts of push services, and all below them; comma-separated. Whoever subscribes must not make us call others.
    push_services: Annotated[tuple[str, ...], NoDecode] = (
        "fcm.googleapis.com",
        "push.services.mozilla.com",
        "notify.windows.com",
        "push.apple.com",
    )

    @field_validator("push_services", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        return (
            tuple(part.strip().lower() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )
