"""The order of contenders: each round begins with another one, every other round runs backwards."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def rotated(contenders: Sequence[T], rounds: int) -> Iterator[tuple[int, T]]:
    """Round (from 0) and contender; every other round runs backwards."""
    for number in range(rounds):
        start = number % len(contenders)
        turn = [*contenders[start:], *contenders[:start]]
        for contender in turn if number % 2 == 0 else turn[:1] + turn[:0:-1]:
            yield number, contender
