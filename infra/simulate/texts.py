"""What citizens of Bekasi write: templates by category, in the Indonesian of messages, with their spelling."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from schemas.vocabulary import Category

_TEXTS: Final[Mapping[Category, Sequence[str]]] = {
    Category.TRAFFIC_JAM: (
        "Macet total di {spot}, sudah setengah jam tidak bergerak",
        "Kendaraan padat merayap arah {spot}, mohon petugas Dishub",
        "{spot} macet parah gara2 truk mogok di tengah jalan",
        "min tolong {spot} mcet bgt, lampu merahnya mati",
        "Antrean panjang di {spot} karena parkir liar di badan jalan",
        "Ada kecelakaan motor di {spot}, arus tersendat sampai belakang",
    ),
    Category.ILLEGAL_DUMPING: (
        "Tumpukan sampah liar di pinggir jalan dekat {spot}, sudah bau",
        "Ada yang buang smpah sembarangan di {spot}, tolong diangkut",
        "Sampah di {spot} sudah seminggu tidak diangkut",
        "Warga bakar sampah dekat {spot}, asapnya mengganggu",
    ),
    Category.ROAD_DAMAGE: (
        "Jalan berlubang besar di {spot}, bahaya untuk motor",
        "jln rusak parah dkt {spot}, aspal terkelupas",
    ),
    Category.FLOOD: (
        "Banjir setinggi lutut di {spot}, mobil tidak bisa lewat",
        "genangan air di {spot} belum surut dari subuh",
    ),
    Category.STREET_LIGHT: (
        "Lampu jalan mati di {spot}, gelap sekali kalau malam",
        "PJU padam sepanjang {spot} sudah tiga hari",
    ),
    Category.PUBLIC_WIFI: (
        "Wifi publik di {spot} tidak bisa connect dari kemarin",
        "wifi gratis {spot} mati, mohon dicek",
    ),
    Category.OTHER: (
        "Terima kasih Bekasi, pelayanan di {spot} sudah bagus",
        "Mau tanya jadwal pelayanan KTP keliling di {spot}",
    ),
}

_NAMES: Final = ("Siti", "Budi", "Asep", "Dewi", "Rina", "Agus", "Yanti", "Joko", "Nur", "Ujang")


def complaint(rng: Random, category: Category, spot: str) -> str:
    """A complaint about something at a spot."""
    return rng.choice(_TEXTS[category]).format(spot=spot)


#: What a reader knows each of these texts by: its longest part without the place.
_KNOWN: Final = {
    max(text.split("{spot}"), key=len).strip().lower(): category for category, texts in _TEXTS.items() for text in texts
}


def meant(text: str) -> Category | None:
    """What somebody who reads it takes it for; None for what is not one of ours."""
    lower = text.lower()
    return next((category for part, category in _KNOWN.items() if part in lower), None)


def reporter(rng: Random) -> dict[str, object]:
    """An invented person; the phone number is of a range that is not given out."""
    return {"name": rng.choice(_NAMES), "phone": f"0800000{rng.randrange(10_000):04d}"}
