"""A grid of cells of at most 500 m over the city: what a search circle touches is locked and looked up by cell."""

import math
from typing import Final

#: Degrees; 0.0044° is 487 m north–south and, at Bekasi's 6.3° south, 487 m east–west.
CELL_DEG: Final = 0.0044
#: Metres of one degree of latitude (WGS 84 mean).
METRES_PER_DEGREE: Final = 111_195.0
_COLUMNS: Final = math.ceil(360 / CELL_DEG) + 1


def cell_of(lat: float, lon: float) -> int:
    """Number of the cell that a point lies in."""
    return math.floor((lat + 90) / CELL_DEG) * _COLUMNS + math.floor((lon + 180) / CELL_DEG)


def cells_within(lat: float, lon: float, radius_m: float) -> tuple[int, ...]:
    """Numbers of all cells that the circle around a point may touch, ascending."""
    dlat = radius_m / METRES_PER_DEGREE
    dlon = dlat / max(math.cos(math.radians(lat)), 0.01)
    rows = range(math.floor((lat - dlat + 90) / CELL_DEG), math.floor((lat + dlat + 90) / CELL_DEG) + 1)
    columns = range(math.floor((lon - dlon + 180) / CELL_DEG), math.floor((lon + dlon + 180) / CELL_DEG) + 1)
    return tuple(row * _COLUMNS + column for row in rows for column in columns)


def distance_m(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Metres between two points no more than a few kilometres apart (equirectangular, error below 0.1 %)."""
    north = (other_lat - lat) * METRES_PER_DEGREE
    east = (other_lon - lon) * METRES_PER_DEGREE * math.cos(math.radians((lat + other_lat) / 2))
    return math.hypot(north, east)
