"""Which words of a report call for 112: fire, injured and drowning people, and what merely sounds like it."""

from typing import Final

from dispatcher.decisions.word_patterns import PatternTable, Reading

#: Words that call help at once. Waste that is burnt is not a fire.
EMERGENCY: Final[tuple[tuple[str, str], ...]] = (
    ("kebakaran|terbakar|kobong|kabeuleum|kahuruan|kebakar", "kebakaran"),
    ("rumah|gedung|pabrik|gudang|pasar|ruko|kios|toko|mobil .. bakar|hangus", "bangunan terbakar"),
    ("api & membesar|besar|menjalar|berkobar|membubung|asap", "api membesar"),
    ("meledak|ledakan|bocor gas", "ledakan"),
    ("gas ~ bocor", "gas bocor"),
    ("terluka|luka|berdarah|pingsan|sekarat|tergeletak|pendarahan", "orang terluka"),
    ("patah tulang|kaki|tangan", "orang terluka"),
    ("tidak sadar|sadarkan|bernafas|bernapas", "orang tak sadar"),
    ("kecelakaan ~ korban|tewas|meninggal|maut", "kecelakaan dengan korban"),
    ("ada|adanya korban", "ada korban"),
    ("ditabrak|tertabrak|disambar|terlindas|dilindas|digilas|tergilas|tertimpa|terjepit|kejepit", "orang celaka"),
    ("CROWD|balita|lansia|bocah|korban .. terjebak|tertimbun|tercebur|kecebur|terseret|hanyut", "orang terjebak"),
    ("tenggelam|tikelebuh|titeuleum", "orang tenggelam"),
    ("hanyut|terseret|kebawa arus|air|banjir|sungai|kali", "orang hanyut"),
    ("kesetrum|tersengat|kesengat|tersetrum", "tersengat listrik"),
    ("minta|butuh|tolong|mohon|perlu .. evakuasi|dievakuasi|ambulan|ambulans|damkar|pemadam", "minta pertolongan"),
    ("meninggal|tewas ~ tempat|lokasi", "orang meninggal"),
)

#: What looks like an emergency and tells of habit, history or fear; taken out before `EMERGENCY` is read.
NOT_EMERGENCY: Final[tuple[str, ...]] = (
    "memakan|makan|menelan|menunggu|nunggu|jangan|takut|sebelum|rawan|khawatir .. korban|luka|kebakaran",
    "sudah banyak .. korban",
    "korban jatuh|lagi|berjatuhan|sudah",
    "sering|banyak|rawan|takut|khawatir .. kecelakaan|tertabrak|jatuh",
    "mobil|unit|pos|petugas|dinas|stasiun pemadam|damkar",
)


_ALARMS: Final = PatternTable(EMERGENCY)
_HARMLESS: Final = PatternTable((source, None) for source in NOT_EMERGENCY)


def alarms(reading: Reading) -> tuple[str, ...]:
    """Why a text smells of an emergency, each reason once; empty when it does not."""
    return tuple(dict.fromkeys(_ALARMS.found_in(_HARMLESS.removed_from(reading))))
