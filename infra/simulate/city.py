"""The simulated city: its places, and scenes that happen there and that citizens and sensors then see."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from schemas.vocabulary import Category

#: Metres of one degree of latitude.
_METRES_PER_DEGREE: Final = 111_195.0


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that citizens name, with WGS 84 degrees of roughly where it is."""

    name: str
    lat: float
    lon: float


#: Junctions, stations, markets and roads of Kota and Kabupaten Bekasi; centres to about 200 m.
SPOTS: Final[tuple[Spot, ...]] = (
    Spot("Simpang Bulak Kapal", -6.2489, 107.0206),
    Spot("Jl Ahmad Yani depan Stadion Patriot", -6.2383, 106.9926),
    Spot("Summarecon Bekasi", -6.2257, 107.0009),
    Spot("Stasiun Bekasi", -6.2361, 106.9994),
    Spot("Jl Raya Narogong, Rawalumbu", -6.2880, 106.9902),
    Spot("Simpang Lima Jatiasih", -6.2935, 106.9585),
    Spot("Pasar Pondok Gede", -6.2846, 106.9123),
    Spot("Jl Raya Hankam", -6.3092, 106.9246),
    Spot("Harapan Indah", -6.1857, 106.9752),
    Spot("Galaxy, Jakasetia", -6.2636, 106.9718),
    Spot("Terminal Kayuringin", -6.2340, 106.9870),
    Spot("Bantargebang depan TPST", -6.3455, 106.9960),
    Spot("Mustika Jaya, Jl Mutiara Gading", -6.2930, 107.0270),
    Spot("Kranji, Jl Sudirman", -6.2247, 106.9795),
    Spot("Pasar Tambun", -6.2622, 107.0560),
    Spot("Simpang SGC Cikarang", -6.2599, 107.1437),
    Spot("Gerbang Jababeka 1", -6.2820, 107.1480),
    Spot("Lippo Cikarang, Jl MH Thamrin", -6.3350, 107.1360),
    Spot("Pasar Cibitung", -6.2400, 107.0870),
    Spot("Babelan, Jl Raya Perjuangan", -6.1740, 107.0130),
    Spot("Setu, Jl Raya Setu", -6.3420, 107.0390),
    Spot("Kedungwaringin", -6.2700, 107.2530),
)

#: How often which kind of scene begins, by weight.
MIX: Final[Sequence[tuple[Category, int]]] = (
    (Category.TRAFFIC_JAM, 45),
    (Category.ILLEGAL_DUMPING, 25),
    (Category.ROAD_DAMAGE, 10),
    (Category.FLOOD, 6),
    (Category.STREET_LIGHT, 7),
    (Category.PUBLIC_WIFI, 4),
    (Category.OTHER, 3),
)
#: Minutes a scene goes on: shortest and longest.
_MINUTES: Final = {Category.TRAFFIC_JAM: (8, 35), Category.FLOOD: (20, 60)}


def near(rng: Random, lat: float, lon: float, metres: float) -> tuple[float, float]:
    """A point up to `metres` away, evenly over the disc, with five decimals (about a metre)."""
    distance = metres * math.sqrt(rng.random())
    angle = rng.random() * 2 * math.pi
    return (
        round(lat + distance * math.cos(angle) / _METRES_PER_DEGREE, 5),
        round(lon + distance * math.sin(angle) / _METRES_PER_DEGREE / math.cos(math.radians(lat)), 5),
    )


def metres_between(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Distance of two points of one city."""
    north = (b[0] - a[0]) * _METRES_PER_DEGREE
    east = (b[1] - a[1]) * _METRES_PER_DEGREE * math.cos(math.radians(a[0]))
    return math.hypot(north, east)


@dataclass(slots=True)
class Scene:
    """Something that happens at a place for a while."""

    category: Category
    spot: Spot
    lat: float
    lon: float
    ends_at: float
    #: Citizens who will still report it.
    witnesses: int


@dataclass
class City:
    """What is going on now. Times are seconds of the event loop's clock."""

    rng: Random
    scenes: list[Scene] = field(default_factory=list)

    def begin_scene(self, now: float) -> Scene:
        """A new scene somewhere; one to four citizens will see it."""
        category = self.rng.choices([c for c, _ in MIX], [w for _, w in MIX])[0]
        spot = self.rng.choice(SPOTS)
        lat, lon = near(self.rng, spot.lat, spot.lon, 250)
        shortest, longest = _MINUTES.get(category, (10, 30))
        minutes = self.rng.uniform(shortest, longest)
        scene = Scene(category, spot, lat, lon, now + minutes * 60, self.rng.choice((1, 1, 2, 3, 4)))
        self.scenes = [running for running in self.scenes if running.ends_at > now]
        self.scenes.append(scene)
        return scene

    def unreported(self, now: float) -> Scene | None:
        """A scene that somebody is still to report, the oldest first."""
        for scene in self.scenes:
            if scene.witnesses > 0 and scene.ends_at > now:
                scene.witnesses -= 1
                return scene
        return None

    def jam_near(self, lat: float, lon: float, metres: float, now: float) -> bool:
        """Whether traffic stands within `metres` of a point."""
        return any(
            scene.category is Category.TRAFFIC_JAM
            and scene.ends_at > now
            and metres_between((lat, lon), (scene.lat, scene.lon)) <= metres
            for scene in self.scenes
        )
