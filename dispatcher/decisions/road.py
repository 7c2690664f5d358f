"""Who manages the road that a report names: the regency itself, the province, the state or a toll operator."""

import csv
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from dispatcher.decisions.spelling import STOP, plain
from schemas.vocabulary import Regency, RoadAuthority


class Road(NamedTuple):
    """A road of `roads.csv`; without a regency it is the same in both."""

    name: str
    authority: RoadAuthority
    regency: Regency | None


#: Behind these words a road is where somebody goes to or comes from, or what stands beside the place.
_NOT_THERE: Final = frozenset(
    [
        "arah",
        "menuju",
        "ke",
        "dari",
        "dr",
        "jurusan",
        "tujuan",
        "mengarah",
        "kolong",
        "bawah",
        "dekat",
        "depan",
        "samping",
        "belakang",
        "seberang",
    ]
)
#: A motorway has no junctions: behind these words it is a street that leads to it.
_NOT_ON_TOLL: Final = _NOT_THERE | frozenset(
    ["keluar", "exit", "masuk", "akses", "pintu", "simpang", "perempatan", "pertigaan", "merah", "jembatan", "flyover"]
)


def road_named(text: str, regency: Regency | None) -> Road | None:
    """The first road that `text` (an address, or the words) says the matter is on; None for the regency's own.

    In an unknown regency only roads that are the same in both are known.
    """
    expression, roads = _names()
    words = plain(text)
    for match in expression.finditer(words):
        before = words[: match.start()].rsplit(maxsplit=1)
        for road in roads[match[0]]:
            elsewhere = _NOT_ON_TOLL if road.authority is RoadAuthority.TOLL else _NOT_THERE
            if road.regency in (None, regency) and not (before and before[-1] in elsewhere):
                return road
    return None


@cache
def _names() -> tuple[re.Pattern[str], Mapping[str, tuple[Road, ...]]]:
    """All names as one expression, the longest first, and the roads of each."""
    roads: dict[str, tuple[Road, ...]] = {}
    table = resources.files("dispatcher.decisions").joinpath("roads.csv").read_text("utf-8")
    for row in csv.DictReader(line for line in table.splitlines() if not line.startswith("#")):
        road = Road(row["name"], RoadAuthority(row["authority"]), Regency(row["regency"]) if row["regency"] else None)
        for alias in row["aliases"].split(";"):
            name = " ".join(word for word in plain(alias).split() if word != STOP)
            roads[name] = (*roads.get(name, ()), road)
    longest_first = sorted(roads, key=lambda name: (-len(name), name))
    return re.compile(rf"(?<!\S)(?:{'|'.join(map(re.escape, longest_first))})(?!\S)"), roads
