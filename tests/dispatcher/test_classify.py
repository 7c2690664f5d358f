"""The classifier reads what citizens write: the traps of the domain, regional words, SMS spelling, real texts."""

import csv

import pytest

from dispatcher.decisions.category_rules import AGAINST, FOR
from dispatcher.decisions.category_words import NAMES
from dispatcher.decisions.classify import DISPATCH_FROM, classify
from dispatcher.decisions.emergency import EMERGENCY, NOT_EMERGENCY
from dispatcher.decisions.spelling import SPELLINGS
from dispatcher.decisions.word_patterns import pattern
from dispatcher.evaluate_classify import judge_texts
from dispatcher.evaluation_file import read_rows
from schemas.vocabulary import Category
from tests.evaluation_data import evaluation_file

JAM, WASTE, ROAD = Category.TRAFFIC_JAM, Category.ILLEGAL_DUMPING, Category.ROAD_DAMAGE
FLOOD, LIGHT, WIFI, CROWD = Category.FLOOD, Category.STREET_LIGHT, Category.PUBLIC_WIFI, Category.CROWDING


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Macet total di Simpang Bulak Kapal arah Tambun, sudah 1 jam tidak gerak", JAM),
        ("Lalin tol Bekasi Barat arah Jakarta padat merayap", JAM),
        ("ada kecelakaan motor sama truk di jl sudirman, jalanan ketutup", JAM),
        ("truk tronton terguling di narogong km 8", JAM),
        ("parkir liar di bahu jalan depan ruko galaxy mengganggu lalu lintas", JAM),
        ("banyak sampah liar di pinggir kalimalang bau menyengat", WASTE),
        ("warga bakar sampah tiap sore asapnya masuk rumah", WASTE),
        ("limbah pabrik dibuang ke kali cikarang airnya hitam bau", WASTE),
        ("jalan berlubang di depan pasar baru, sudah ada yg jatuh", ROAD),
        ("jembatan cipamingkis ambrol", ROAD),
        ("kali bekasi meluap, air masuk ke rumah warga", FLOOD),
        ("Banjir, air masuk ke rumah warga", FLOOD),
        ("banjir air setinggi lutut di perumahan", FLOOD),
        ("genangan air tinggi di bawah flyover summarecon", FLOOD),
        ("lampu jalan mati di jl raya hankam sudah seminggu", LIGHT),
        ("PJU padam sepanjang jl caman", LIGHT),
        ("wifi gratis di alun alun ga bisa konek", WIFI),
        ("kerumunan orang di depan stadion patriot", CROWD),
    ],
)
def test_a_plain_report_is_dispatched_to_its_category(text: str, category: Category) -> None:
    said = classify(text)
    assert (said.category, said.dispatch) == (category, True)
    assert said.evidence


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("mcet bgt di jln ahmad yani bekasi dpn mall, udh 30 mnt", JAM),
        ("MACETTTT parah jl siliwangi", JAM),
        ("dalan depan pasar macet pol, mandeg ora obah", JAM),
        ("smpah numpuk dkt perumahan, blm diangkut 2 minggu", WASTE),
        ("aya nu miceun runtah di sisi walungan, bau pisan", WASTE),
        ("wong mbuang uwuh sembarangan ning pinggir kali", WASTE),
        ("jln rsk parah di setu dekat sdn 2, tlg diaspal", ROAD),
        ("dalane bolong2 akeh banget ning desa kertamukti", ROAD),
        ("jalanna ruksak loba liang bahaya keur nu naek motor", ROAD),
        ("jalanan ancur bang, udah kaya kali kering", ROAD),
        ("bnjir di perum pondok gede permai, aer udh sedada", FLOOD),
        ("caah di kp kebon, cai asup ka imah", FLOOD),
        ("lampu jalan pareum, poek pisan", LIGHT),
        ("lampune dalan mati kabeh, peteng ndedet", LIGHT),
    ],
)
def test_sms_javanese_sundanese_and_betawi_spelling_is_understood(text: str, category: Category) -> None:
    said = classify(text)
    assert (said.category, said.dispatch) == (category, True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("TPS 12 kelurahan margahayu surat suara kurang", id="TPS is a polling station"),
        pytest.param("di TPS ada yang nyoblos dua kali", id="TPS where people vote"),
        pytest.param("banjir air mata saat wisuda di sekolah", id="banjir is a flood of tears"),
        pytest.param("kredit macet nasabah koperasi mohon ditindak", id="macet is a stalled loan"),
        pytest.param("air PDAM macet sudah 3 hari di perumahan villa", id="macet is a dry tap"),
        pytest.param("program poktan macet", id="macet is a stalled programme"),
        pytest.param("pedagang di bantaran banjir kanal timur kumuh", id="Banjir Kanal is a name"),
        pytest.param("pelayanan di kelurahan jembatan besi lambat", id="Jembatan Besi is a name"),
        pytest.param("kondisi jembatan timbang tidak beroperasi, pungli", id="jembatan timbang is a weighbridge"),
        pytest.param("mati lampu di perumahan grand wisata dari jam 7", id="mati lampu is a power cut"),
        pytest.param("listrik padam terus, PLN tolong", id="a power cut is PLN's"),
        pytest.param("lalu lintas kalimalang pagi ini ramai lancar", id="ramai lancar is no jam"),
        pytest.param("macet di bulak kapal sudah terurai", id="a jam that has dissolved"),
        pytest.param("banjir sudah surut, terima kasih BPBD", id="a flood that has gone"),
        pytest.param("jalan sudah diperbaiki, terima kasih pak wali", id="thanks for a mended road"),
        pytest.param("tidak ada banjir di sini aman", id="what is denied"),
        pytest.param("usul agar dibangun jalan layang supaya tidak macet", id="a wish"),
        pytest.param("mau tanya syarat bikin KTP baru di disdukcapil bekasi", id="a question to an office"),
        pytest.param("tarif parkir di pasar mahal tidak sesuai perda", id="a fee"),
        pytest.param("internet indihome rumah saya mati", id="a private line"),
        pytest.param("dana desa dikorupsi perangkat desa, jalan rusak dibiarkan", id="an accusation"),
        pytest.param("Berantakan", id="nothing said"),
        pytest.param("", id="empty"),
        pytest.param("\x00\u202e 🚧🚧🚧", id="no words"),
    ],
)
def test_what_only_sounds_like_a_report_is_not_dispatched(text: str) -> None:
    assert not classify(text).dispatch


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("sampah menyumbat got, kalau hujan jadi banjir", WASTE),
        ("lobang gede di tengah jalan, bikin macet tiap pagi", ROAD),
        ("macet karena jalan berlubang di depan pabrik", ROAD),
        ("Genangan air 20 cm di depan Jababeka, lalin tersendat", FLOOD),
        ("pedagang di bahu jalan bikin macet tiap pagi", JAM),
        ("TPS di belakang pasar penuh dan baunya menyengat", WASTE),
        ("Banjir Kanal meluap, rumah warga kebanjiran", FLOOD),
    ],
)
def test_the_cause_is_reported_not_its_effect(text: str, category: Category) -> None:
    assert classify(text).category is category


def test_the_citizens_choice_tips_a_fair_guess_and_is_not_believed_alone() -> None:
    vague = "lampu merah simpang lima mati"
    assert not classify(vague).dispatch
    assert classify(vague, Category.TRAFFIC_JAM).dispatch
    alone = classify("tolong segera ditindaklanjuti", Category.ILLEGAL_DUMPING)
    assert (alone.category, alone.dispatch) == (Category.ILLEGAL_DUMPING, False)
    assert classify("banjir sedada di perumahan kami", Category.TRAFFIC_JAM).category is FLOOD
    assert classify("macet", Category.OTHER).category is JAM


@pytest.mark.parametrize(
    "text",
    [
        "rumah kebakaran di jalan mawar",
        "ada anak hanyut di kali bekasi",
        "anak tenggelam di danau",
        "kecelakaan ada korban luka parah",
        "orang tergeletak di pinggir jalan tidak sadarkan diri",
        "warga terjebak banjir butuh evakuasi",
        "sudah 30 menit korban luka belum ditolong",
    ],
)
def test_fire_injured_and_drowning_people_are_an_emergency(text: str) -> None:
    said = classify(text)
    assert said.emergency
    assert any(reason.startswith("darurat:") for reason in said.evidence)


@pytest.mark.parametrize(
    "text",
    [
        "bakar sampah",
        "jalan rusak sudah banyak memakan korban",
        "sering terjadi kecelakaan disini",
        "kabel semrawut rawan kebakaran",
        "sawah terendam banjir",
    ],
)
def test_habit_fear_and_burnt_waste_are_no_emergency(text: str) -> None:
    assert not classify(text).emergency


def test_an_emergency_of_no_category_goes_to_an_operator() -> None:
    said = classify("kebakaran rumah, api membesar")
    assert (said.category, said.dispatch, said.emergency) == (Category.OTHER, False, True)


def test_a_long_text_is_read_in_bounded_time_and_judged_by_its_beginning() -> None:
    assert classify("macet total di kalimalang. " + "dan seterusnya " * 2_000).category is JAM


def test_every_pattern_can_be_read() -> None:
    patterns = [rule.pattern for rule in FOR] + [doubt.pattern for doubt in AGAINST]
    patterns += [*NAMES, *NOT_EMERGENCY, *(source for source, _ in EMERGENCY)]
    for source in patterns:
        pattern(source)


def test_no_word_is_spelled_two_ways() -> None:
    variants = [variant for word, written in SPELLINGS.items() for variant in (word, *written.split())]
    assert len(variants) == len(set(variants))


def test_real_complaints_are_dispatched_rightly_and_mostly() -> None:
    rows = read_rows(evaluation_file("complaints.csv"), ("text", "label"))
    dispatched = right = reports = sent = 0
    for row in rows:
        said = classify(row["text"])
        dispatched += said.dispatch
        right += said.dispatch and said.category == row["label"]
        reports += row["label"] != Category.OTHER
        sent += said.dispatch and row["label"] != Category.OTHER
    assert right / dispatched >= 0.95
    assert sent / reports >= 0.80


def test_the_summary_counts_as_the_contract_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("texts") / "texts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(
            [
                ("text", "label"),
                ("macet total di kalimalang", "traffic_jam"),
                ("banjir sedada", "road_damage"),
                ("apa kabar", "flood"),
                ("jalan rusak parah", "other"),
            ]
        )
    judged = judge_texts(read_rows(path, ("text",)))
    assert judged.summary == (
        "precision of dispatched 0.333 (1 of 3), coverage 0.667 (2 of 3), best guess right 0.250 (1 of 4)"
    )


def test_the_threshold_is_one_number() -> None:
    for text in ("macet", "sampah", "lampu jalan", "jalan rusak", "apa kabar", "tanggul jebol", "parkir liar"):
        said = classify(text)
        assert said.dispatch == (said.category is not Category.OTHER and said.confidence >= DISPATCH_FROM)
