"""What speaks for and against each category: the classifier's rules as tables, in the language of `word_patterns`.

`weight` is how sure the rule alone would make us (0–1). `why` is shown to operators, so it is Indonesian.
"""

from typing import Final, NamedTuple

from schemas.vocabulary import Category


class Rule(NamedTuple):
    """Words that speak for a category."""

    category: Category
    weight: float
    pattern: str
    why: str


class Doubt(NamedTuple):
    """Words that speak against the named categories, or against all of them when there are none."""

    weight: float
    pattern: str
    why: str
    categories: tuple[Category, ...] = ()


_JAM = Category.TRAFFIC_JAM
_WASTE = Category.ILLEGAL_DUMPING
_ROAD = Category.ROAD_DAMAGE
_FLOOD = Category.FLOOD
_LIGHT = Category.STREET_LIGHT
_WIFI = Category.PUBLIC_WIFI
_CROWD = Category.CROWDING

FOR: Final[tuple[Rule, ...]] = (
    # A jam, and what the domain counts as one: accidents and breakdowns that block, blocking parking, a signal out.
    Rule(_JAM, 0.80, "macet", "kemacetan disebut"),
    Rule(_JAM, 0.50, "macet ~ MUCH", "kemacetan berat"),
    Rule(_JAM, 0.70, "padat|antre|kendaraan merayap", "lalu lintas merayap"),
    Rule(_JAM, 0.60, "lalin|arus|jalan .. merayap|tersendat|lumpuh", "lalu lintas tersendat"),
    Rule(_JAM, 0.35, "STREET + tersendat", "tersendat"),
    Rule(_JAM, 0.70, "lalin|arus|arah .. padat", "lalu lintas padat"),
    Rule(_JAM, 0.45, "terpantau padat", "terpantau padat"),
    Rule(_JAM, 0.50, "tol|gt|km .. padat", "padat di jalan tol"),
    Rule(_JAM, 0.40, "jalan .. padat", "jalan padat"),
    Rule(_JAM, 0.30, "STREET + padat", "padat"),
    Rule(_JAM, 0.55, "antre ~ panjang|mengular|km|kendaraan", "antrean kendaraan"),
    Rule(_JAM, 0.35, "kendaraan|lalin .. antre", "antrean kendaraan"),
    Rule(_JAM, 0.30, "antre + tol|gt|lalin|km|kendaraan", "antrean di jalan"),
    Rule(_JAM, 0.70, "VEHICLE|lalin|jalan ~ tidak ~ bergerak", "kendaraan tidak bergerak"),
    Rule(_JAM, 0.50, "kecelakaan", "kecelakaan"),
    Rule(_JAM, 0.40, "kecelakaan & STREET", "kecelakaan di jalan"),
    Rule(_JAM, 0.65, "VEHICLE .. terguling|melintang|nyangkut|tersangkut", "kendaraan menutup jalan"),
    Rule(_JAM, 0.65, "truk|bus|mobil|kontainer|angkot|kendaraan .. mogok", "kendaraan mogok"),
    Rule(_JAM, 0.55, "parkir liar|sembarangan|sembarang|saenak|seenaknya|ganda|dobel|paralel", "parkir liar"),
    Rule(_JAM, 0.45, "parkir .. jalan|lajur|jalur", "parkir di jalan"),
    Rule(_JAM, 0.35, "jalan|lajur|jalur .. parkir", "parkir di jalan"),
    Rule(_JAM, 0.40, "parkir dua|2|berlapis lajur|lapis|baris|jalur", "parkir berlapis"),
    Rule(_JAM, 0.35, "parkir & OBSTRUCT", "parkir mengganggu"),
    Rule(_JAM, 0.30, "TAKEN parkir", "jalan dipakai parkir"),
    Rule(_JAM, 0.30, "TAKEN untuk|tempat|lahan|buat parkir", "jalan dipakai parkir"),
    Rule(_JAM, 0.30, "jalan|lajur|jalur|bahu + parkir VEHICLE", "kendaraan parkir di jalan"),
    Rule(_JAM, 0.30, "bahu|badan jalan", "bahu jalan terpakai"),
    Rule(_JAM, 0.65, "VEHICLE .. ngetem", "kendaraan mengetem"),
    Rule(_JAM, 0.45, "ngetem", "mengetem"),
    Rule(_JAM, 0.50, "OBSTRUCT ~ lalin|pengendara|pengguna|pemakai", "lalu lintas terganggu"),
    Rule(_JAM, 0.40, "OBSTRUCT ~ jalan", "jalan terganggu"),
    Rule(_JAM, 0.35, "tidak ~ lewat|dilewati|melintas|dilintasi", "tidak bisa lewat"),
    Rule(_JAM, 0.40, "pkl|pedagang|pasar ~ tumpah|badan|bahu", "pedagang di badan jalan"),
    Rule(_JAM, 0.30, "lawan|melawan arus|arah", "kendaraan melawan arus"),
    Rule(_JAM, 0.45, "lampu merah|lalin|setopan|stopan ~ mati|rusak|tidak", "lampu lalu lintas padam"),
    Rule(_JAM, 0.40, "volume kendaraan|lalin ~ meningkat|padat|tinggi", "volume kendaraan meningkat"),
    # Waste in the wrong place: dumped, not collected, burnt, in a river.
    Rule(_WASTE, 0.62, "sampah", "sampah disebut"),
    Rule(_WASTE, 0.50, "sampah & tumpuk|serak|buang", "sampah menumpuk atau dibuang"),
    Rule(_WASTE, 0.50, "sampah ~ tidak|belum ~ angkut|dibersihkan", "sampah belum diangkut"),
    Rule(_WASTE, 0.50, "pembuangan sampah liar|ilegal|illegal|sembarangan", "tempat buang sampah liar"),
    Rule(_WASTE, 0.40, "sampah & RIVER", "sampah di saluran air"),
    Rule(_WASTE, 0.40, "sampah & bakar", "sampah dibakar"),
    Rule(_WASTE, 0.35, "sampah & DIRT", "sampah berbau"),
    Rule(_WASTE, 0.35, "sampah & banyak|penuh|liar|dibersihkan", "banyak sampah"),
    Rule(_WASTE, 0.62, "puing|puingnya|brangkal|bongkaran & buang|angkut|tumpuk|serak|jalan|trotoar", "puing dibuang"),
    Rule(_WASTE, 0.62, "TREE & angkut|serak|tumpuk", "sisa tebangan belum diangkut"),
    Rule(_WASTE, 0.50, "sisa|bekas TREE|pangkasan|penebangan|pemangkasan", "sisa tebangan"),
    Rule(_WASTE, 0.65, "limbah & buang|RIVER|DIRT", "limbah dibuang"),
    Rule(_WASTE, 0.62, "jalan|taman|trotoar ~ tidak|belum ~ disapu|dibersihkan", "jalan tidak disapu"),
    Rule(_WASTE, 0.40, "RIVER .. DIRT", "saluran kotor"),
    Rule(_WASTE, 0.30, "jalan|taman|trotoar|lingkungan .. kotor|jorok|kumuh", "lingkungan kotor"),
    Rule(_WASTE, 0.65, "tps|tpa|tpst ~ penuh|tumpuk|DIRT|liar|meluap|angkut", "tempat sampah penuh"),
    Rule(_WASTE, 0.60, "buang & kasur|popok|bangkai|tinja|oli|barang|sofa|lemari", "barang dibuang"),
    # The road itself: holes, cracks, sunken or fallen parts, bridges, pavements.
    Rule(_ROAD, 0.85, "ROAD ... rusak|lubang", "jalan rusak"),
    Rule(_ROAD, 0.60, "rusak|lubang .. ROAD", "kerusakan di jalan"),
    Rule(_ROAD, 0.65, "ROAD + rusak parah|berat|sekali|semua|total", "kerusakan berat"),
    Rule(_ROAD, 0.40, "ROAD + lubang", "lubang disebut"),
    Rule(_ROAD, 0.30, "lubang", "lubang disebut"),
    Rule(_ROAD, 0.55, "banyak .. lubang", "banyak lubang"),
    Rule(_ROAD, 0.50, "ROAD .. jelek|buruk|licin|putus|miring|longsor", "jalan buruk"),
    Rule(_ROAD, 0.65, "jembatan + rusak|roboh", "jembatan rusak"),
    Rule(_ROAD, 0.62, "jembatan ~ putus|goyang|lapuk|keropos|patah|lepas", "jembatan berbahaya"),
    Rule(_ROAD, 0.50, "jembatan ~ parah|miring", "jembatan buruk"),
    Rule(_ROAD, 0.45, "jalan & ditambal|tambal|aspal|dicor|perbaikan|diperbaiki|perbaiki", "perbaikan jalan diminta"),
    Rule(_ROAD, 0.40, "belum|tidak|kunjung ~ aspal", "belum diaspal"),
    Rule(_ROAD, 0.40, "penutup|tutup|besi selokan|manhole", "penutup saluran"),
    Rule(
        _ROAD, 0.40, "penutup|tutup|besi selokan|manhole ~ hilang|terbuka|rusak|patah|dicuri", "penutup saluran hilang"
    ),
    Rule(_ROAD, 0.55, "bekas galian", "bekas galian"),
    # Water where it should not be.
    Rule(_FLOOD, 0.80, "banjir", "banjir disebut"),
    Rule(_FLOOD, 0.70, "genang", "genangan disebut"),
    Rule(_FLOOD, 0.40, "banjir|genang|air ~ DEPTH", "tinggi air disebut"),
    Rule(_FLOOD, 0.62, "rendam", "terendam"),
    Rule(_FLOOD, 0.50, "rob", "rob disebut"),
    Rule(_FLOOD, 0.62, "WATER|RIVER .. meluap", "air meluap"),
    Rule(_FLOOD, 0.60, "WATER|rob|banjir & masuk|kemasukan|memasuki|naik", "air naik atau masuk rumah"),
    Rule(_FLOOD, 0.65, "tanggul .. rusak|bocor|rembes|kritis", "tanggul jebol"),
    Rule(_FLOOD, 0.35, "RIVER .. mampet|tersumbat|mampat|buntu|dangkal|pendangkalan", "saluran tersumbat"),
    Rule(_FLOOD, 0.40, "belum|tidak surut", "belum surut"),
    # Street lights: only with the street named; a dark house is PLN's.
    Rule(_LIGHT, 0.62, "pju", "PJU disebut"),
    Rule(_LIGHT, 0.75, "pju & DARK", "PJU mati"),
    Rule(_LIGHT, 0.85, "lampu jalan|penerangan|taman|umum & DARK", "lampu jalan mati"),
    Rule(
        _LIGHT, 0.85, "lampu jalan|penerangan|taman|umum|pju ~ tidak|belum ~ nyala|berfungsi|terang", "lampu jalan mati"
    ),
    Rule(_LIGHT, 0.65, "lampu ~ jalan ~ mati|gelap", "lampu jalan mati"),
    Rule(_LIGHT, 0.75, "penerangan jalan & DARK|tidak|belum", "penerangan jalan mati"),
    Rule(_LIGHT, 0.50, "minta|pasang|dipasang|butuh|perlu|tambah|belum|tidak .. penerangan", "penerangan diminta"),
    Rule(_LIGHT, 0.50, "minta|tolong|mohon|belum nyala & lampu jalan|penerangan", "lampu jalan diminta menyala"),
    Rule(_LIGHT, 0.62, "ROAD .. gelap", "jalan gelap"),
    Rule(_LIGHT, 0.20, "lampu jalan|penerangan", "lampu jalan disebut"),
    # The city's own wifi.
    Rule(_WIFI, 0.60, "wifi", "wifi disebut"),
    Rule(
        _WIFI, 0.70, "wifi & mati|lemot|lelet|lambat|putus|error|rusak|down|gangguan|hilang|ngadat", "wifi bermasalah"
    ),
    Rule(_WIFI, 0.70, "wifi ~ tidak|belum ~ bisa|konek|nyala|connect|nyambung|terhubung|muncul|berfungsi", "wifi mati"),
    Rule(
        _WIFI, 0.50, "wifi & gratis|publik|umum|taman|halte|alun|kelurahan|pemkot|rth|terminal|stasiun", "wifi publik"
    ),
    Rule(_WIFI, 0.62, "internet & gratis|publik|taman|alun|pemkot", "internet publik"),
    # Too many people in one place.
    Rule(_CROWD, 0.66, "kerumunan", "kerumunan disebut"),
    Rule(_CROWD, 0.62, "CROWD .. membludak|berdesakan|berjubel|bejubel|berdesak|membeludak", "orang berdesakan"),
    Rule(_CROWD, 0.30, "CROWD & kerumunan", "orang berkumpul"),
    Rule(_CROWD, 0.50, "demo|unjuk|demonstrasi & massa|rasa|orasi", "massa turun"),
)

AGAINST: Final[tuple[Doubt, ...]] = (
    # It runs, it has run dry, it is mended.
    Doubt(0.90, "FLOWING lancar", "lalu lintas lancar", (_JAM,)),
    Doubt(0.60, "lancar|lengang|terurai", "lancar disebut", (_JAM,)),
    Doubt(0.90, "sudah|mulai|telah|berangsur .. surut|kering", "air sudah surut", (_FLOOD,)),
    Doubt(0.70, "sudah .. dilewati|dilalui|dilintasi", "sudah bisa dilewati"),
    Doubt(0.60, "sudah .. MENDED", "sudah beres"),
    Doubt(0.50, "sering|rawan|banyak .. kecelakaan", "kecelakaan yang lalu", (_JAM,)),
    Doubt(0.50, "banjir ~ lalu|dulu|lepas|silam", "banjir yang lalu", (_FLOOD,)),
    Doubt(0.50, "HIT_BY banjir", "banjir sebagai penyebab", (_FLOOD,)),
    Doubt(0.50, "lubang + kecelakaan", "kecelakaan karena jalan rusak", (_JAM,)),
    Doubt(0.50, "lubang + genang", "genangan di lubang", (_FLOOD,)),
    Doubt(0.60, "karena|akibat .. perbaikan|pengecoran|pekerjaan", "jalan sedang dikerjakan", (_ROAD,)),
    # The word means something else.
    Doubt(0.95, "PAID ~ macet", "macet di sini soal uang", (_JAM,)),
    Doubt(0.95, "macet PAID", "macet di sini soal uang", (_JAM,)),
    Doubt(
        0.80, "program|poktan|kelompok|kegiatan|pencairan|penyaluran ~ macet", "macet di sini soal kegiatan", (_JAM,)
    ),
    Doubt(0.80, "proses|prosesnya|berkas|pengurusan|administrasi|laporan macet", "macet di sini soal urusan", (_JAM,)),
    Doubt(0.50, "ganti|rugi|pembebasan tanah|lahan|rugi", "soal ganti rugi"),
    Doubt(0.95, "PIPED & macet|mampet|mati", "macet di sini soal air ledeng", (_JAM, _FLOOD)),
    Doubt(0.95, "air macet|mati", "macet di sini soal air ledeng", (_JAM, _FLOOD)),
    Doubt(0.70, "air bersih|minum|sumur|pdam", "air bersih", (_FLOOD, _JAM)),
    Doubt(0.90, "MACHINE ~ macet|antre|rusak", "mesin atau aplikasi", (_JAM, _ROAD)),
    Doubt(0.80, "antre & COUNTER", "antrean loket", (_JAM,)),
    Doubt(0.90, "banjir pujian|order|promo|diskon|pesanan", "banjir sebagai kiasan", (_FLOOD,)),
    # "Banjir, air masuk rumah" is a flood: of water, only that of the eyes is not meant.
    Doubt(0.90, "banjir air mata", "banjir sebagai kiasan", (_FLOOD,)),
    Doubt(0.90, "sampah masyarakat|visual|politik|elektronik", "sampah sebagai kiasan", (_WASTE,)),
    Doubt(0.50, "ASKED .. armada|gerobak|bak|tong|tempat|truk sampah", "permintaan sarana", (_WASTE,)),
    Doubt(0.50, "ayo|mari|kurangi|edukasi|sosialisasi|himbauan", "ajakan", (_WASTE,)),
    Doubt(0.90, "nyoblos|coblos|mencoblos|pemilu|pilkada|pilgub|kpps|paslon|caleg|pemilih|dicurangi|curang", "pemilu"),
    Doubt(0.60, "kotak|hak|surat|penghitungan|perolehan suara", "pemilu"),
    Doubt(0.80, "pln|pemadaman|token|listrik|korsleting", "listrik rumah: urusan PLN", (_LIGHT,)),
    Doubt(0.80, "lampu merah|lalin|setopan|stopan|hijau|rem|sein", "bukan lampu jalan", (_LIGHT,)),
    Doubt(0.80, "CARRIER", "jaringan swasta", (_WIFI,)),
    Doubt(0.50, "pangkas|dipangkas|pemangkasan|memangkas|tumbang", "pohon", (_WASTE, _JAM)),
    # Not a place to send somebody to: questions, wishes, money, offices, officials.
    Doubt(0.50, "mau|ingin|numpang|izin|ijin|cuma|hanya tanya", "pertanyaan"),
    Doubt(0.45, "apakah|apa benar|betul|boleh|perlu|termasuk|harus|wajib", "pertanyaan"),
    Doubt(0.40, "ASKED .. rambu|marka|zebra|portal|palang|polisi", "permintaan sarana"),
    Doubt(0.40, "usul|mengusulkan|usulan|usulkan|diusulkan|dipertimbangkan|pertimbangkan|mengusul", "usulan"),
    Doubt(0.60, "mohon|minta|tolong|usul ~ diganti|ditambah|penambahan armada|rute|halte|koridor", "usulan angkutan"),
    Doubt(0.45, "armada|trayek|jurusan|koridor ~ bus|brt|diganti|ditambah", "layanan angkutan", (_JAM,)),
    Doubt(0.70, "EMBEZZLED", "dugaan penyelewengan"),
    Doubt(0.30, "dana desa|bos|hibah", "soal dana"),
    Doubt(0.50, "pungli|pungutan|iuran|retribusi|tarif|tarifnya|tilang|denda", "soal biaya"),
    Doubt(0.50, "pajak|pbb & naik|mahal|bayar", "soal biaya"),
    Doubt(0.50, "FEE sampah|parkir|kebersihan", "soal biaya"),
    Doubt(0.60, "korban banjir|kebakaran|rob|longsor", "soal bantuan"),
    Doubt(0.50, "belum|tidak ~ dapat|terima|menerima|kebagian ~ bantuan|sembako|kompensasi", "soal bantuan"),
    Doubt(0.50, "bagaimana|gimana ~ cara|caranya|prosedur|mengurus|mengurusnya|syarat", "pertanyaan"),
    Doubt(0.60, "OFFICE & APPLY", "layanan kantor"),
    Doubt(0.50, "STAFF & IDLE", "kinerja pegawai"),
    Doubt(0.50, "REFUSED & pembangunan|tambang|pabrik|proyek|izin", "penolakan proyek"),
    Doubt(0.50, "REFUSED", "penolakan"),
    Doubt(0.40, "sekolah|guru|siswa|murid & daftar|ijazah|spp|zonasi|ppdb|reguler|luar", "soal sekolah"),
    Doubt(0.40, "judi|miras|prostitusi|narkoba|pencurian|mesum|tawuran", "ketertiban"),
    # Fear is not yet an event.
    Doubt(0.55, "FEARED .. banjir", "baru dikhawatirkan", (_FLOOD,)),
    Doubt(0.55, "FEARED .. rusak", "baru dikhawatirkan", (_ROAD,)),
    Doubt(0.55, "FEARED .. macet", "baru dikhawatirkan", (_JAM,)),
    Doubt(0.40, "makin|semakin macet|padat", "keadaan umum", (_JAM,)),
)

#: What usually comes of what: (cause, effect, how much of the effect's strength the cause takes). The cause is what
#: somebody is sent for: a hole that causes a jam, rubbish that causes a flood.
COMES_OF: Final[tuple[tuple[Category, Category, float], ...]] = (
    (_FLOOD, _JAM, 0.6),
    (_ROAD, _JAM, 0.5),
    (_WASTE, _FLOOD, 0.4),
)
