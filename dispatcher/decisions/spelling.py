"""One spelling for what people write: Indonesian as in SMS, Javanese, Sundanese and Betawi words, typing errors."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

#: Ends a sentence in plain text; patterns do not reach across it.
STOP: Final = "."

#: The word we use → the ways people write it. Regional words are marked jv (Javanese), sd (Sundanese), bt (Betawi).
#: Only words a judgement looks at are listed; everything else is left as written.
SPELLINGS: Final[Mapping[str, str]] = {
    # small words that turn a sentence round
    "tidak": "tdk tak gak ga nggak ngga enggak engga gk kagak kaga kgk ora ra ndak nda mboten teu henteu tida tidk",
    "belum": "blm blom belom durung dereng acan tacan",
    "sudah": "sdh udah udh dah sampun uwis wis wes parantos geus telah ud",
    "masih": "msh isih taksih keneh",
    "banyak": "bnyk bnyak byk akeh kathah loba seueur banyakk bnayak",
    "sangat": "sgt banget bgt pisan amat bener bgtt",
    "dan": "dn lan sareng jeung",
    "karena": "krn krna karna soale kulantaran kusabab gara",
    "sering": "srg kerep",
    "setiap": "tiap tiep saben unggal stiap",
    "kalau": "kalo klo kl kalu nek menawi lamun mun bila jika apabila",
    "menyebabkan": (
        "sebabkan nyebabkan nyebabin mengakibatkan akibatkan berakibat akibatnya bikin membikin ngebikin membuat"
        " menimbulkan nimbulin ndadosaken njalari nyieun sehingga shg shingga berdampak dampaknya"
        " berimbas imbasnya menjadikan memicu"
    ),
    "akibat": "imbas disebabkan dikarenakan",
    "minta": "mnta mintk nyuwun nyuhunkeun",
    "tanya": "nanya bertanya menanyakan tanyakan taros tangled naros",
    # places of a street
    "jalan": "jl jln jlan jaln jalam jlm jalanan jlanan dalan dalanan ndalan margi jlnan",
    "jembatan": "jembatn jebatan jmbtn kreteg sasak",
    "jalur": "jalurnya jlr",
    "selokan": "got selokannya parit solokan drainase saluran gorong riol",
    "sungai": "sunge walungan bengawan kalinya",
    "rumah": "rmh omah imah rume griya bumi",
    "kendaraan": "kendaran kndraan kend kendaraaan knd ranmor",
    "lalin": "lalulintas lalinnya lalinn lalintas trafik traffic",
    "trotoar": "trotoir trotoa",
    "simpang": "simp sp spg persimpangan prapatan perapatan parapatan",
    "perempatan": "per4tan per4an prempatan proliman perlimaan simpangempat",
    "pertigaan": "per3an pertelon pratelon pertigan simpangtiga",
    "bundaran": "bunderan buderan",
    "depan": "dpn ddepan didepan dpan didpn ddpn hareup ngarep ngarepe",
    # traffic
    "macet": "macett muacet macit maceet kemacetan memacetkan macetkan termacet mandek mandeg mandheg stuck stak stag",
    "padat": "padet kepadatan memadat dipadati pdat padaat",
    "merayap": "merambat ngerayap mrayap",
    "tersendat": "nyendat sendat tersendatnya kesendat",
    "antre": "antri antrian antrean ngantri ngantre mengantre mengantri",
    "lancar": "lncar lanca lancer lamcar",
    "ramai": "rame rameh ramei",
    "bergerak": "gerak obah",
    "parkir": "parkr markir diparkir memarkir terparkir parkirkan diparkirkan parkiran parkirnya",
    "ngetem": "mangkal ngetime",
    "kecelakaan": "laka tabrakan kecelakan nabrak kacilakaan ketabrak",
    "terguling": "terbalik kebalik nggoling ngguling tikusruk",
    "mogok": "mogoknya",
    "truk": "truck trek trontron tronton trailer kontainer dumptruck truknya",
    # water
    "banjir": "banjirr bajir banjjir kebanjiran kabanjiran kebanjirn caah kebanjir banjirnya",
    "genang": "genangan tergenang menggenang menggenangi ngagenang kakeueum ngeueum genangannya",
    "rendam": "terendam merendam kerendem kerendam kelelep klelep kelelap direndam rendaman",
    "meluap": "luapan luber meluber mbludak ngaluap meluapnya",
    "surut": "asat nyurut",
    # waste
    "sampah": "sampa uwuh runtah sampahh sampahan",
    "buang": "mbuang miceun dibuang membuang ngebuang dibuangin buangin dipiceun dibucal pembuang",
    "tumpuk": (
        "numpuk menumpuk menumpuknya bertumpuk tumpukan tertumpuk penumpukan menggunung gunungan teronggok onggokan"
    ),
    "serak": "berserakan bertebaran berceceran tercecer berantakan acak awut pabalatak berserak",
    "angkut": "diangkut terangkut mengangkut pengangkutan ngangkut diangkat diambil kaangkut diangkuti angkat",
    "bakar": "dibakar membakar pembakaran ngebakar mbakar diobong ngobong dibakari bakaran",
    "bau": "berbau bauk ambune mambu bauna",
    # roads
    "rusak": (
        "ruksak kerusakan ngrusak rusaknya hancur ancur ajur remuk bobrok ambles amblas ambrol jebol ambruk ambrug"
        " retak mengelupas ngelupas ngluntung bergelombang terkelupas rusakk butut rusk"
    ),
    "lubang": (
        "lobang bolong berlubang berlobang bolongan jeglong jeglongan njeglong legok logak liang gronjalan gradakan"
        " gerunjalan grunjal lubangnya berlubangnya bolongnya gejlug gajlugan berlubng"
    ),
    "aspal": "diaspal pengaspalan aspalan beraspal ngaspal",
    # light
    "lampu": "lmpu lampune lampuna lamput",
    "mati": "padam pareum pejah matot modar matek padamnya mateni koit",
    "nyala": "menyala hidup idup urip hurung nyalanya nyalain nyalakan dinyalakan menyalakan murub menyalanya",
    "gelap": "peteng poek gulita gelapp remang petengan",
    "pju": "pjunya lpju",
    "penerangan": "penerang peneranga",
    # wifi and people
    "wifi": "wi-fi wify waifi hotspot wifinya",
    "kerumunan": "berkerumun kerumun bergerombol gerombolan ngumpul berkumpul rubung ngerubung gumpulan",
}

#: Words long enough that one wrong letter is still theirs. What a slip could turn them into is in `FALSE_FRIENDS`.
TYPED_WITH_SLIPS: Final = (
    "banjir",
    "sampah",
    "lubang",
    "parkir",
    "genangan",
    "jembatan",
    "trotoar",
    "kecelakaan",
    "kerumunan",
    "penerangan",
    "berserakan",
    "menumpuk",
    "tergenang",
    "terendam",
    "berlubang",
    "kemacetan",
    "tersendat",
    "lancar",
)

#: Words shortened by leaving out vowels ("bnjr", "smpah", "mcet", "lmpu", "rsk").
SHORTENED: Final = (
    "banjir",
    "sampah",
    "macet",
    "rusak",
    "lubang",
    "lampu",
    "jalan",
    "padat",
    "parkir",
    "lancar",
    "genangan",
    "jembatan",
    "sungai",
)

#: Proper words one letter away from a word above.
FALSE_FRIENDS: Final = frozenset(
    {
        "tersengat",
        "sampai",
        "sampan",
        "sumpah",
        "sambah",
        "banjar",
        "lambang",
        "lembang",
        "lumbang",
        "tumpang",
        "kenangan",
        "kerukunan",
        "jabatan",
        "parkit",
        "pancar",
        "bancar",
    }
)

_SPELLING_OF: Final = {variant: word for word, variants in SPELLINGS.items() for variant in (word, *variants.split())}
#: What a dot may follow without ending a sentence, beside all words of three letters and fewer.
_NO_STOP_AFTER: Final = frozenset({STOP, "jend", "komp", "perum", "prov", "blok", "jalan"})
_SUFFIXES: Final = ("nya", "nye", "ne", "na", "ny", "lah", "kah", "pun", "e", "y", "an")
_PLACEHOLDER: Final = re.compile(r"https?://\S+|www\.\S+|\[\w+\]|\S+@\S+")
_PIECE: Final = re.compile(r"wi-?fi|[a-z]+(?:[0-9]+[a-z]+)*2?|[0-9]+(?:[.,:/-][0-9]+)*|[.!?\n]+")
#: What is one word to us and two to others, and the other way round.
_WORDS_JOINED: Final[Mapping[str, str]] = {
    "lalu lintas": "lalin",
    "lalu-lintas": "lalin",
    "fly over": "flyover",
    "fly-over": "flyover",
    "under pass": "underpass",
    "ramailancar": "ramai lancar",
    "&amp;": "&",
}
_TWO_WORDS: Final = re.compile("|".join(re.escape(written) for written in _WORDS_JOINED))
_LEET: Final = str.maketrans("01345", "oieas")


# classifying, locating and comparing each read the same text; a batch is read once by each, one after the other
@lru_cache(maxsize=1_024)
def plain(text: str) -> str:
    """The text as lower-case words with one spelling, sentences ended by `STOP`, everything parted by one blank.

    Total: any string gives an answer. Numbers stay; placeholders, addresses of pages and signs go.
    """
    visible = unicodedata.normalize("NFKD", text).casefold()
    if not visible.isascii():
        visible = "".join(char for char in visible if unicodedata.category(char) not in {"Mn", "Cf", "Cs"})
    words = list(_words(_TWO_WORDS.sub(_one_word, _PLACEHOLDER.sub(" ", visible))))
    while words and words[0] == STOP:
        words.pop(0)
    return " ".join(words)


def _one_word(match: re.Match[str]) -> str:
    return _WORDS_JOINED[match[0]]


def _words(text: str) -> Iterator[str]:
    last = STOP
    for piece in _PIECE.findall(text):
        if not piece[0].isalnum():
            # "jl. H. Simun" holds no sentences: a dot ends one after a long word, or at a line's end
            if last not in _NO_STOP_AFTER and (len(last) > 3 or piece != ".") and ".." not in piece:
                yield STOP
                last = STOP
            continue
        word = spelled(piece)
        # "lubang-lubang" and "macet macet" say it once
        if word != last or word[0].isdigit():
            yield word
        last = word


@lru_cache(maxsize=20_000)
def spelled(written: str) -> str:
    """One lower-case word in our spelling; as written when no spelling is near."""
    if written[0].isdigit():
        return written
    written = written.removesuffix("2")  # "bolong2" is the plural
    if written in _SPELLING_OF:
        return _SPELLING_OF[written]
    written = written.translate(_LEET)
    if written in FALSE_FRIENDS:
        return written
    return _known(written) or _known(_undrawn(written)) or _slipped(written) or written


def _known(written: str) -> str | None:
    if written in _SPELLING_OF:
        return _SPELLING_OF[written]
    for suffix in _SUFFIXES:
        stem = written.removesuffix(suffix)
        if stem != written and len(stem) > 3 and stem in _SPELLING_OF:
            return _SPELLING_OF[stem]
    return None


def _undrawn(written: str) -> str:
    """The word without doubled letters: "macettt" is drawn out in anger."""
    return re.sub(r"(.)\1+", r"\1", written)


def _slipped(written: str) -> str | None:
    for word in SHORTENED:
        if _shortens(written, word):
            return _SPELLING_OF[word]
    if len(written) > 4:
        for word in TYPED_WITH_SLIPS:
            if abs(len(written) - len(word)) <= 1 and written[0] == word[0] and _one_slip(written, word):
                return _SPELLING_OF.get(word, word)
    return None


def _shortens(written: str, word: str) -> bool:
    """Whether the written is the word with vowels left out."""
    if not (2 < len(written) < len(word) and written[0] == word[0]):
        return False
    letters = iter(word)
    return all(letter in letters for letter in written) and _consonants(written) == _consonants(word)


def _consonants(word: str) -> str:
    return "".join(letter for letter in word if letter not in "aeiou")


def _one_slip(written: str, word: str) -> bool:
    """Whether one letter is missing, added, wrong, or two neighbours are swapped."""
    start = 0
    while start < min(len(written), len(word)) and written[start] == word[start]:
        start += 1
    rest, goal = written[start:], word[start:]
    return (
        rest == goal[1:]
        or rest[1:] == goal
        or rest[1:] == goal[1:]
        or (rest[:2] == goal[1::-1] and rest[2:] == goal[2:])
    )
