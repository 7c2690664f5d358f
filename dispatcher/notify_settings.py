"""What the dispatcher is told of how people are notified."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from dispatcher.notify_urls import NotifyUrl, UrlError, parse
from dispatcher.push_settings import PushSettings


class NotifySettings(PushSettings):
    """Of sending."""

    # the addresses have passwords in them
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    #: Where messages go beside the mailbox and web push: `[audience=]URL` of apprise, separated by blanks; audiences
    #: are staff (without one), officer and reporter. `{email}`, `{phone}` and `{username}` are the receiver's.
    notify_urls: SecretStr = SecretStr("")
    #: Write each message into `<data dir>/mailbox` too.
    notify_mailbox: bool = True
    #: Days that messages are kept, in the database and in the mailbox.
    notification_days: int = Field(default=90, ge=1, le=3_650)

    @field_validator("notify_urls")
    @classmethod
    def _urls(cls, value: SecretStr) -> SecretStr:
        try:
            parse(value.get_secret_value())
        except UrlError as error:
            raise ValueError(f"PATRIOT_NOTIFY_URLS: {error}") from None
        return value

    @property
    def urls(self) -> tuple[NotifyUrl, ...]:
        """The addresses, read."""
        return parse(self.notify_urls.get_secret_value())
