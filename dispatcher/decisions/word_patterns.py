"""The small language the classifier's rules are written in, over the words of `dispatcher.decisions.spelling.plain`.

Lower case is the word itself (any spelling of it), `a|b` either, capitals a set of `category_words.WORDS`; between them
    `~`  up to five other words of the same sentence,
    `..` the same, but no negation and no other thing that could be meant (`category_words.BARRIER`),
    `...` the same, and up to nine words,
    `&`  up to five other words, in either order,
    `+`  both somewhere in the text.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final, Generic, TypeVar

from dispatcher.decisions.category_words import BARRIER, WORDS
from dispatcher.decisions.spelling import STOP, spelled

#: Words that may stand between two parts of a pattern: a subject and its verb are seldom further apart in a complaint.
_BETWEEN: Final = 5
_FAR_BETWEEN: Final = 9

_ANY_WORD: Final = rf"[^ {STOP}]+"
_NO_BARRIER: Final = rf"(?!(?:{'|'.join(BARRIER.split())})(?!\S)){_ANY_WORD}"


_Told = TypeVar("_Told")


class Reading:
    """A text as its plain words, kept with the set of them so that most patterns are ruled out without a search."""

    def __init__(self, words: str) -> None:
        """`words` as `dispatcher.decisions.spelling.plain` gives them."""
        self.words: Final = words
        self.present: Final = frozenset(words.split())


class WordPattern:
    """One compiled pattern; `pattern()` makes each once."""

    def __init__(self, source: str) -> None:
        """Compile; a source that breaks the language raises ValueError."""
        self._needed: Final = _needed(source)
        self._expression: Final = re.compile(_expression(source))

    def found_in(self, reading: Reading) -> bool:
        """Whether the text has it."""
        return self._possible(reading) and self._expression.search(reading.words) is not None

    def spans(self, reading: Reading) -> list[tuple[int, int]]:
        """Where the text has it, as positions in `reading.words`."""
        if not self._possible(reading):
            return []
        return [match.span() for match in self._expression.finditer(reading.words)]

    def removed_from(self, reading: Reading) -> Reading:
        """The text with a gap where the pattern was, so that no other pattern reads it."""
        if not self._possible(reading):
            return reading
        words, times = self._expression.subn("_", reading.words)
        return Reading(words) if times else reading

    def _possible(self, reading: Reading) -> bool:
        # a plain loop: this runs for every rule that shares a word with a text
        for needed in self._needed:  # noqa: SIM110
            if needed.isdisjoint(reading.present):
                return False
        return True


@cache
def pattern(source: str) -> WordPattern:
    """The compiled pattern."""
    return WordPattern(source)


class PatternTable(Generic[_Told]):
    """Patterns with what each of them tells, indexed by word: a text is searched for the few it may have.

    A rule table has some hundred patterns and a text some twenty words, so that even to rule out one pattern after the
    other took most of a judgement's time.
    """

    def __init__(self, rows: Iterable[tuple[str, _Told]]) -> None:
        """Each pattern's source with what it tells; compiled when a text first needs it."""
        self._rows: Final = tuple(rows)
        #: A word → the rows that no text without one of such words has. Of a pattern's words those stand here that
        #: fewest patterns name: "jalan" is in many texts and many patterns, and would rule out little.
        self._rows_at: Final[defaultdict[str, list[int]]] = defaultdict(list)
        needed = [_needed(source) for source, _ in self._rows]
        named = Counter(word for words_of_row in needed for words in words_of_row for word in words)
        for row, words_of_row in enumerate(needed):
            for word in min(words_of_row, key=lambda words: sum(named[word] for word in words)):
                self._rows_at[word].append(row)

    def near(self, reading: Reading) -> Iterator[tuple[WordPattern, _Told]]:
        """The patterns that the text may have, in the table's order, which is part of the judgement."""
        rows: set[int] = set()
        for word in self._rows_at.keys() & reading.present:
            rows.update(self._rows_at[word])
        for row in sorted(rows):
            source, told = self._rows[row]
            yield pattern(source), told

    def found_in(self, reading: Reading) -> list[_Told]:
        """What the patterns that the text has tell."""
        return [told for each, told in self.near(reading) if each.found_in(reading)]

    def removed_from(self, reading: Reading) -> Reading:
        """The text with gaps where the patterns were, one after the other: what is gone, later ones do not find."""
        for each, _ in self.near(reading):
            reading = each.removed_from(reading)
        return reading


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


def _needed(source: str) -> tuple[frozenset[str], ...]:
    """One set per word of the pattern; a text without any of a set's words cannot match."""
    return tuple(frozenset(_meant(part)) for part in source.split() if part not in {"~", "..", "...", "&", "+"})


def _meant(part: str) -> tuple[str, ...]:
    """The words one part of a pattern stands for, each in our spelling."""
    return tuple(dict.fromkeys(spelled(word) for name in part.split("|") for word in WORDS.get(name, name).split()))
