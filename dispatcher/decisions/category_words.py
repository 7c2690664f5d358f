"""The words that the classifier's patterns name as sets, and the names that hold a rule's word without its meaning."""

from collections.abc import Mapping
from typing import Final

#: Sets of words that patterns name in capitals.
WORDS: Final[Mapping[str, str]] = {
    "NO": "tidak belum tanpa kurang gagal jarang",
    "MUCH": "total parah panjang sangat terus pol berat luar lagi",
    "ROAD": "jalan jalur ruas aspal jembatan trotoar tikungan tanjakan turunan flyover underpass gang rel pantura",
    "VEHICLE": (
        "kendaraan mobil motor truk bus bis angkot taksi ojol ojek gojek gocar grab grabcar becak bajaj kontainer"
        " tangki elf travel mikrolet metromini transjakarta"
    ),
    "STREET": "jalan lalin tol km simpang pertigaan perempatan bundaran lajur jalur ruas arah arus gt exit ramp",
    "WATCHED": "terpantau terlihat pantauan kondisi situasi arus arah lalin",
    "OBSTRUCT": (
        "ganggu mengganggu menggangu mengganngu menghalangi menghambat menutup nutupin menutupi memakan menyempit"
        " menyempitkan mempersempit sempit terganggu terhambat ngalangin ngalingin makan nutup semrawut"
    ),
    "TAKEN": "dipakai dipake pakai pake dijadikan dijadiin digunakan buat",
    "RIVER": "sungai kali kanal situ danau embung saluran selokan irigasi waduk",
    "WATER": "air aer cai banyu aernya",
    "DEPTH": "cm meter mtr selutut lutut mata sebetis sepaha sepinggang sedada pinggang dada betis paha dengkul",
    "DIRT": "bau kotor jorok kumuh menyengat busuk lalat belatung ulat mencemari tercemar pencemaran",
    "DARK": "mati gelap rusak redup kedip berkedip putus hilang dicuri korslet konslet",
    "CROWD": "orang massa warga pengunjung penonton pendemo suporter remaja anak pemuda",
    "TREE": "pohon dahan ranting tebangan batang potongan",
    "OFFICE": "ktp kk akta sertifikat bpjs pkh kip pajak sim stnk kis surat nikah npwp bansos blt",
    "PAID": (
        "kredit pinjaman peminjaman pinjam cicilan angsuran pupuk koperasi dana uang gaji honor pembayaran tunggakan"
        " utang hutang piutang iuran setoran usaha modal bantuan pencairan tabungan arisan bisnis beasiswa kpr leasing"
    ),
    "PIPED": "pdam pam ledeng kran keran ledingnya leding pompa sumur",
    "ASKED": "minta mohon butuh perlu sediakan tambah tambahan penambahan pengadaan tolong",
    "FLOWING": "ramai relatif terpantau cenderung kembali sudah mulai arus lalin",
    "MENDED": "bagus mulus baik diperbaiki bersih nyala dibersihkan ditangani angkut selesai",
    "FEARED": "akan bakal cepat takut khawatir kuatir cegah mencegah antisipasi",
    "HIT_BY": "diterjang terkena kena tergerus tersapu pascabanjir pasca akibat",
    "REFUSED": "hentikan tolak menolak keberatan batalkan",
    "COUNTER": "ktp samsat puskesmas bpjs loket kasir dukcapil sembako minyak vaksin obat",
    "CARRIER": "indihome firstmedia biznet telkom telkomsel kuota pulsa provider tower sinyal",
    "EMBEZZLED": "korupsi dikorupsi dikorup korup anggaran oknum suap selingkuhan diselewengkan kpk",
    "APPLY": "biaya urus mengurus mengurusnya pembuatan bikin perubahan pengurusan cetak mahal syarat hilang",
    "STAFF": "pegawai petugas pelayanan staf lurah camat",
    "IDLE": "santai tutup lambat malas bolos bekerja",
    "FEE": "bayar membayar biaya setoran tagihan karcis ongkos uang",
    "MACHINE": "lift eskalator mesin server aplikasi website situs printer komputer laptop",
}

#: Names and set phrases that hold a rule's word without its meaning. They are taken out before any rule reads the text.
NAMES: Final[tuple[str, ...]] = (
    "banjir kanal timur|barat",  # a canal: rubbish, stalls or a real flood beside it are told by other words
    "banjir kanal",
    "kanal banjir timur|barat",
    "kanal banjir",
    "jembatan besi|lima|dua|tiga",  # kelurahan and markets
    "jembatan timbang",  # a weighbridge
    "lubang buaya",  # a kelurahan beside Bekasi
    "seribu lampu",  # parks
    "bank sampah",  # where people bring sorted waste
    "atas|dekat|belakang|depan|samping|sebelah tempat pembuangan sampah",  # a landmark
    "padat penduduk|karya|modal|penduduknya",
    "pemukiman|permukiman|penduduk|penduduknya|kampung|perumahan|jadwal|kegiatan padat",
    "ayam|ikan|sate|jagung|roti|bandeng|iga bakar",
    "jalan keluar|pintas|damai|kaki|tikus|sehat|santai|sendiri",
    "pejalan kaki",
    "saling lempar",
    # what is denied does not count
    "tidak|bebas|bukan|anti macet|banjir|genang|rusak|lubang|padat|gelap",
    "tidak ada|lagi|pernah|terlalu|akan|sampai macet|banjir|genang|rusak|lubang|padat",
)

#: Words that keep `..` from reaching across: a negation, or another thing that may be what is broken or dark.
BARRIER: Final = (
    "tidak belum tanpa lampu pju wifi rambu cctv mobil motor truk bus sampah pipa tiang tanggul pohon halte"
    " taman lapangan mainan pagar atap tembok saluran lancar ramai macet padat banjir"
)

#: What follows these words is an effect: rubbish that floods a street is still rubbish.
EFFECT_AFTER: Final = "menyebabkan|jadi|berpotensi|rawan"
#: What stands before these words is an effect: a jam because of a hole is a hole.
EFFECT_BEFORE: Final = "karena|akibat"
