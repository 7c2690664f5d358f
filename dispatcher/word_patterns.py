"""The small language the classifier's rules are written in, over the words of `dispatcher.spelling.plain`.

Lower case is the word itself (any spelling of it), `a|b` either, capitals a set of `category_words.WORDS`; between them
    `~`  up to five other words of the same sentence,
    `..` the same, but no negation and no other thing that could be meant (`category_words.BARRIER`),
    `...` the same, and up to nine words,
    `&`  up to five other words, in either order,
    `+`  both somewhere in the text.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from dispatcher.category_words import BARRIER, WORDS
from dispatcher.spelling import STOP, spelled

#: Words that may stand between two parts of a pattern: a subject and its verb are seldom further apart in a complaint.
_BETWEEN: Final = 5
_FAR_BETWEEN: Final = 9

_ANY_WORD: Final = rf"[^ {STOP}]+"
_NO_BARRIER: Final = rf"(?!(?:{'|'.join(BARRIER.split())})(?!\S)){_ANY_WORD}"


class Reading:
    """A text as its plain words, kept with the set of them so that most patterns are ruled out without a search."""

    def __init__(self, words: str) -> None:
        """`words` as `dispatcher.spelling.plain` gives them."""
        self.words: Final = words
        self.present: Final = frozenset(words.split())


class WordPattern:
    """One compiled pattern; `pattern()` makes each once."""

    def __init__(self, source: str) -> None:
        """Compile; a source that breaks the language raises ValueError."""
        #: One set per word of the pattern; a text without any of a set's words cannot match.
        self._needed: Final = tuple(
            frozenset(_meant(part)) for part in source.split() if part not in {"~", "..", "...", "&", "+"}
        )
        self._expression: Final = re.compile(_expression(source))

    def found_in(self, reading: Reading) -> bool:
        """Whether the text has it."""
        return self._possible(reading) and self._expression.search(reading.words) is not None

    def spans(self, reading: Reading) -> Iterator[tuple[int, int]]:
        """Where the text has it, as positions in `reading.words`."""
        if self._possible(reading):
            for match in self._expression.finditer(reading.words):
                yield match.span()

    def removed_from(self, reading: Reading) -> Reading:
        """The text with a gap where the pattern was, so that no other pattern reads it."""
        if not self._possible(reading):
            return reading
        return Reading(self._expression.sub("_", reading.words))

    def _possible(self, reading: Reading) -> bool:
        return not any(needed.isdisjoint(reading.present) for needed in self._needed)


@cache
def pattern(source: str) -> WordPattern:
    """The compiled pattern."""
    return WordPattern(source)


def _expression(source: str) -> str:
    for sign, between in ((" + ", None), (" & ", _gap(_ANY_WORD))):
        if sign in source:
            left, right = (_sequence(side) for side in source.split(sign))
            if between is None:
                return f"{left}(?=.*{right})|{right}(?=.*{left})"
            return f"{left}{between}{right}|{right}{between}{left}"
    return _sequence(source)


def _sequence(source: str) -> str:
    expression = ""
    between = ""
    for part in source.split():
        if part == "~":
            between = _gap(_ANY_WORD)
        elif part == "..":
            between = _gap(_NO_BARRIER)
        elif part == "...":
            between = _gap(_NO_BARRIER, _FAR_BETWEEN)
        else:
            expression += f"{between}(?:{'|'.join(_meant(part))})"
            between = " "
    return rf"(?<!\S){expression}(?!\S)"


def _gap(word: str, most: int = _BETWEEN) -> str:
    return rf"(?: {word}){{0,{most}}}? "


def _meant(part: str) -> tuple[str, ...]:
    """The words one part of a pattern stands for, each in our spelling."""
    return tuple(dict.fromkeys(spelled(word) for name in part.split("|") for word in WORDS.get(name, name).split()))
