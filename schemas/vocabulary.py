"""The city's words on the wire, each once: categories, agencies, states, roles, and the labels that citizens know."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Category(StrEnum):
    """What an incident is about."""

    TRAFFIC_JAM = "traffic_jam"
    ILLEGAL_DUMPING = "illegal_dumping"
    ROAD_DAMAGE = "road_damage"
    FLOOD = "flood"
    STREET_LIGHT = "street_light"
    PUBLIC_WIFI = "public_wifi"
    CROWDING = "crowding"
    OTHER = "other"


class Regency(StrEnum):
    """The two governments side by side, by their Kemendagri codes."""

    KOTA_BEKASI = "32.75"
    KABUPATEN_BEKASI = "32.16"


class AgencyCode(StrEnum):
    """A dinas. Together with a regency it is an agency; the last three are outside the two governments."""

    DISHUB = "DISHUB"
    DLH = "DLH"
    DBMSDA = "DBMSDA"
    BPBD = "BPBD"
    SATPOL_PP = "SATPOL_PP"
    PJU = "PJU"
    DISKOMINFO = "DISKOMINFO"
    PLN = "PLN"
    TOLL = "TOLL"
    OTHER_GOV = "OTHER_GOV"


#: Outside the two governments: things are handed over to them. They belong to no regency.
OUTSIDE_BODIES: Final = frozenset({AgencyCode.PLN, AgencyCode.TOLL, AgencyCode.OTHER_GOV})


class Priority(StrEnum):
    """How urgent, lowest first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class IncidentStatus(StrEnum):
    """Where an incident stands; `dispatcher.decisions.incident.NEXT` is the table of its moves."""

    NEW = "new"
    TRIAGE = "triage"
    ROUTED = "routed"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    RESOLVED = "resolved"
    CLOSED = "closed"
    TRANSFERRED = "transferred"
    REJECTED = "rejected"
    MERGED = "merged"


#: `status=open` in a query: everything that still asks for somebody's attention, `resolved` (unconfirmed) too.
OPEN_STATUSES: Final = frozenset(IncidentStatus) - {
    IncidentStatus.CLOSED,
    IncidentStatus.REJECTED,
    IncidentStatus.MERGED,
    IncidentStatus.TRANSFERRED,
}


class AssignmentStatus(StrEnum):
    """Where one officer's work on one incident stands."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    EN_ROUTE = "en_route"
    ON_SCENE = "on_scene"
    COMPLETED = "completed"
    DECLINED = "declined"
    EXPIRED = "expired"
    RELEASED = "released"


class OfficerStatus(StrEnum):
    """What an officer can be asked for now. `busy` follows from an accepted assignment."""

    OFF_DUTY = "off_duty"
    AVAILABLE = "available"
    ON_BREAK = "on_break"
    BUSY = "busy"


class Role(StrEnum):
    """What an account may do; see `infra.access.MAY`."""

    AGENT = "agent"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    DISPATCHER = "dispatcher"
    OFFICER = "officer"
    AREA_HEAD = "area_head"
    EXECUTIVE = "executive"
    ADMIN = "admin"


class ClockKind(StrEnum):
    """What time is counted for (domain.md, Times): of an incident, and `accept` of an offer to an officer."""

    FIRST_LOOK = "first_look"
    ACCEPT = "accept"
    ON_SCENE = "on_scene"
    RESOLVED = "resolved"
    CLOSED = "closed"


class ClockState(StrEnum):
    """How a clock stands. `breached` stays so when it is met later; `void`: it ended without being needed."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    BREACHED = "breached"
    VOID = "void"


class Told(StrEnum):
    """Who is told when a clock runs out; the heads are people of the agency and of the Command Center."""

    OPERATOR = "operator"
    DISPATCHER = "dispatcher"
    SHIFT_LEAD = "shift_lead"
    AGENCY_HEAD = "agency_head"
    CENTER_HEAD = "center_head"


class ReportChannel(StrEnum):
    """The way a citizen's report came in."""

    APP = "app"
    WEB = "web"
    CALL_CENTER = "call_center"
    POC = "poc"
    WHATSAPP = "whatsapp"
    OPEN311 = "open311"


class SightingSource(StrEnum):
    """Where an incident is known from: a channel of reports, or a device of ours."""

    APP = "app"
    WEB = "web"
    CALL_CENTER = "call_center"
    POC = "poc"
    WHATSAPP = "whatsapp"
    OPEN311 = "open311"
    SENSOR = "sensor"
    WIFI = "wifi"


class FeedChannel(StrEnum):
    """The channels of the WebSocket feed."""

    INCIDENTS = "incidents"
    OFFICERS = "officers"
    SENSORS = "sensors"
    WIFI_NODES = "wifi_nodes"
    KPIS = "kpis"


class RoadLevel(StrEnum):
    """Level of a road against its free-flow speed (DATEX II TrafficStatusEnum, with `unknown` for no data)."""

    FREE_FLOW = "free_flow"
    HEAVY = "heavy"
    SLOW = "slow"
    QUEUING = "queuing"
    STATIONARY = "stationary"
    UNKNOWN = "unknown"


class RoadAuthority(StrEnum):
    """Who manages a road; `regency` is the city or regency itself."""

    NATIONAL = "national"
    PROVINCIAL = "provincial"
    REGENCY = "regency"
    TOLL = "toll"


class DayKind(StrEnum):
    """The kind of a day in Bekasi; a holiday on a Saturday is a holiday."""

    WORKDAY = "workday"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"


class DeviceState(StrEnum):
    """Whether a sensor or wifi node is heard."""

    UP = "up"
    SUSPECT = "suspect"
    DOWN = "down"


#: The label that citizens know for each status, Indonesian and English.
STATUS_LABEL: Final[Mapping[IncidentStatus, tuple[str, str]]] = {
    IncidentStatus.NEW: ("Menunggu", "Waiting"),
    IncidentStatus.TRIAGE: ("Menunggu verifikasi", "Waiting for verification"),
    IncidentStatus.ROUTED: ("Koordinasi", "Coordination"),
    IncidentStatus.ASSIGNED: ("Disposisi", "Assigned to an officer"),
    IncidentStatus.IN_PROGRESS: ("Proses", "In progress"),
    IncidentStatus.ON_HOLD: ("Ditunda", "On hold"),
    IncidentStatus.RESOLVED: ("Selesai", "Resolved"),
    IncidentStatus.CLOSED: ("Ditutup", "Closed"),
    IncidentStatus.TRANSFERRED: ("Diteruskan", "Handed over"),
    IncidentStatus.REJECTED: ("Ditolak", "Rejected"),
    IncidentStatus.MERGED: ("Digabung", "Merged"),
}

#: Category names, Indonesian and English; titles of incidents are made of the Indonesian one and the place.
CATEGORY_LABEL: Final[Mapping[Category, tuple[str, str]]] = {
    Category.TRAFFIC_JAM: ("Kemacetan", "Traffic jam"),
    Category.ILLEGAL_DUMPING: ("Sampah liar", "Illegal dumping"),
    Category.ROAD_DAMAGE: ("Jalan rusak", "Road damage"),
    Category.FLOOD: ("Banjir", "Flood"),
    Category.STREET_LIGHT: ("PJU mati", "Street light out"),
    Category.PUBLIC_WIFI: ("Wifi publik mati", "Public wifi down"),
    Category.CROWDING: ("Kerumunan", "Crowding"),
    Category.OTHER: ("Lain-lain", "Other"),
}

#: Names of the agencies as the two governments use them.
AGENCY_NAME: Final[Mapping[AgencyCode, str]] = {
    AgencyCode.DISHUB: "Dinas Perhubungan",
    AgencyCode.DLH: "Dinas Lingkungan Hidup",
    AgencyCode.DBMSDA: "Dinas Bina Marga dan Sumber Daya Air",
    AgencyCode.BPBD: "Badan Penanggulangan Bencana Daerah",
    AgencyCode.SATPOL_PP: "Satuan Polisi Pamong Praja",
    AgencyCode.PJU: "Unit Penerangan Jalan Umum",
    AgencyCode.DISKOMINFO: "Dinas Komunikasi dan Informatika",
    AgencyCode.PLN: "PLN",
    AgencyCode.TOLL: "Operator jalan tol",
    AgencyCode.OTHER_GOV: "Pemerintah daerah lain",
}

REGENCY_NAME: Final[Mapping[Regency, str]] = {
    Regency.KOTA_BEKASI: "Kota Bekasi",
    Regency.KABUPATEN_BEKASI: "Kabupaten Bekasi",
}
