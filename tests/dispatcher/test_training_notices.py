"""What a training city tells its people stays on the machine, whatever it was told about addresses."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from dispatcher import mailbox, web_push
from dispatcher.notifier import Notifier
from dispatcher.notify_settings import NotifySettings
from dispatcher.settings import DispatcherSettings
from infra.postgres import Pool, prepare


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=2, init=prepare) as opened:
        yield opened


def notifier(pool: Pool, folder: Path, **settings: Any) -> Notifier:
    told = NotifySettings(
        secret="5e" * 32, data_dir=folder, notify_urls="json://notify.example/", notify_mailbox=False, **settings
    )
    return Notifier(pool, told)


async def test_nothing_of_a_training_city_leaves_the_machine(pool: Pool, tmp_path: Path) -> None:
    assert [one.name for one in notifier(pool, tmp_path, training=True).channels()] == [mailbox.NAME]
    real = [one.name for one in notifier(pool, tmp_path).channels()]
    assert web_push.NAME in real and len(real) == 2 and mailbox.NAME not in real


def test_the_dispatcher_is_told_by_the_same_setting() -> None:
    assert issubclass(DispatcherSettings, NotifySettings)
