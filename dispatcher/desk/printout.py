"""An incident on paper: one HTML page without script, and without people unless they are asked for."""

import base64
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from dispatcher.desk.incidents import IncidentDetail
from dispatcher.desk.tracked import Language, label
from schemas.vocabulary import CATEGORY_LABEL

_ZONE: Final = ZoneInfo("Asia/Jakarta")
_STYLE: Final = (
    "body{font:11pt/1.4 serif;margin:2cm auto;max-width:18cm;color:#000;background:#fff}"
    "h1{font-size:16pt;margin:0 0 2mm}h2{font-size:12pt;margin:6mm 0 2mm}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:1mm 3mm 1mm 0}"
    "td+td{border-left:0}tr{border-bottom:1px solid #999;break-inside:avoid}footer{margin-top:8mm;font-size:9pt}"
)
#: Nothing but our own style: no script, no picture, no other host.
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

#: Indonesian and English.
_WORDS: Final = {
    "number": ("Nomor", "Number"),
    "status": ("Status", "Status"),
    "category": ("Kategori", "Category"),
    "priority": ("Prioritas", "Priority"),
    "agency": ("Perangkat daerah", "Agency"),
    "place": ("Tempat", "Place"),
    "opened": ("Dibuka", "Opened"),
    "due": ("Batas waktu", "Due"),
    "reports": ("Laporan", "Reports"),
    "history": ("Riwayat", "History"),
    "decisions": ("Alasan keputusan", "Why it was decided so"),
    "words": ("Isi laporan", "What was reported"),
    "printed": ("Dicetak", "Printed"),
    "by": ("oleh", "by"),
    "without": ("Tanpa data pribadi.", "Without personal data."),
    "with": ("Memuat data pribadi: simpan dan musnahkan dengan aman.", "Holds personal data: keep and destroy safely."),
}


def page(detail: IncidentDetail, language: Language, *, printed_at: datetime, by: str, personal: bool) -> str:
    """The page. `detail` holds what may be shown; with `personal` the words of its reports too."""

    def word(name: str) -> str:
        return escape(_WORDS[name][0 if language == "id" else 1])

    agency = f"{detail.regency}/{detail.agency}" if detail.agency else "–"
    point = "" if detail.lat is None or detail.lon is None else f" ({detail.lat:.5f}, {detail.lon:.5f})"
    facts = [
        (word("number"), detail.id),
        (word("status"), label(detail.status, language)),
        (word("category"), CATEGORY_LABEL[detail.category][0 if language == "id" else 1]),
        (word("priority"), detail.priority),
        (word("agency"), agency),
        (word("place"), (detail.address or "–") + point),
        (word("opened"), _time(detail.opened_at)),
        (word("due"), _time(detail.due_at) if detail.due_at else "–"),
        (word("reports"), str(detail.report_count)),
    ]
    history = [
        (_time(one.at), label(one.status, language), one.change, one.actor if personal else "", one.note or "")
        for one in detail.history
    ]
    decisions = [(one.judgement, one.outcome, "; ".join(one.because)) for one in detail.decisions]
    parts = [
        f"<h1>{escape(detail.title)}</h1>",
        _table(facts),
        f"<h2>{word('history')}</h2>",
        _table(history),
        f"<h2>{word('decisions')}</h2>",
        _table(decisions),
    ]
    if personal:
        told = [(_time(one.submitted_at), one.tracking_code or "", one.description or "") for one in detail.reports]
        parts += [f"<h2>{word('words')}</h2>", _table(told)]
    parts.append(
        f"<footer>{word('printed')} {_time(printed_at)} {word('by')} {escape(by)}. "
        f"{word('with' if personal else 'without')}</footer>"
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{escape(detail.id)}</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = (
        "<tr>"
        + f'<th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return f"<table>{''.join(lines)}</table>"


def _time(at: datetime) -> str:
    return f"{at.astimezone(_ZONE):%d-%m-%Y %H:%M} WIB"
