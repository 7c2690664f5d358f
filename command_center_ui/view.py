"""What one client sees of one channel: who it is decides, its own filter only narrows that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import chain
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from command_center_ui.row import Shape
from infra.tickets import Viewer
from schemas.feed import Tags
from schemas.vocabulary import Category, DeviceState, FeedChannel, IncidentStatus, OfficerStatus, Role
from schemas.wire import encode

#: Values that one field of a filter may list; no vocabulary of the city is longer, kecamatan (35) included.
_MAX_VALUES: Final = 64
_Values = Annotated[frozenset[Annotated[str, Meta(min_length=1, max_length=40)]], Meta(max_length=_MAX_VALUES)]


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`subscribe.filter`: a row passes when, for each field given, its tag is one of the values.

    `agency` is written as a pair ("32.75/DLH"). An empty list lets nothing pass; `{}` is no filter.
    """

    agency: _Values | None = None
    category: frozenset[Category] | None = None
    kecamatan: _Values | None = None
    status: _Values | None = None

    def passes(self, tags: Tags) -> bool:
        """Whether the client asked for rows with these tags."""
        return (
            (self.agency is None or tags.get("agency") in self.agency)
            and (self.category is None or tags.get("category") in self.category)
            and (self.kecamatan is None or tags.get("kecamatan") in self.kecamatan)
            and (self.status is None or tags.get("status") in self.status)
        )

    def written(self) -> Mapping[str, Sequence[str] | None]:
        """The filter in one spelling, whatever the order its values came in."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: None if listed is None else sorted(listed) for name, listed in values.items()}


_STATUSES: Final = frozenset(str(word) for word in chain[StrEnum](IncidentStatus, OfficerStatus, DeviceState))


class BadFilter(ValueError):
    """A filter that asks for something there is not; the message names the field."""


def read_filter(raw: msgspec.Raw) -> Filter | None:
    """A client's filter; None when it filters nothing. Raises `BadFilter`."""
    try:
        found = msgspec.json.decode(raw, type=Filter | None)
    except msgspec.MsgspecError as error:
        raise BadFilter(str(error)) from error
    if found is None:
        return None
    if found.status is not None and not found.status <= _STATUSES:
        raise BadFilter("there is no such status")
    return None if found == Filter() else found


@dataclass(frozen=True, slots=True)
class View:
    """One way of seeing a channel. Clients with equal views share every frame."""

    channel: FeedChannel
    shape: Shape = Shape.WHOLE
    #: Pairs like "32.75/DLH"; None for all.
    agencies: frozenset[str] | None = None
    kecamatan: str | None = None
    wanted: Filter | None = None
    kelurahan: str | None = None

    def sees(self, tags: Tags) -> bool:
        """Whether a row with these tags is in it."""
        return (
            (self.agencies is None or self._is_theirs(tags, self.agencies))
            and (self.kecamatan is None or tags.get("kecamatan") == self.kecamatan)
            and (self.kelurahan is None or tags.get("kelurahan") == self.kelurahan)
            and (self.wanted is None or self.wanted.passes(tags))
        )

    @staticmethod
    def _is_theirs(tags: Tags, agencies: frozenset[str]) -> bool:
        # An incident has one agency, and others that help with it.
        return tags.get("agency") in agencies or not agencies.isdisjoint(tags.get("co_agencies", "").split(","))

    def epoch(self, base: str) -> str:
        """The epoch that clients with this view are told. A client that comes back with other eyes must not be handed
        the difference to what it never saw, so a narrowed view has an epoch of its own."""
        if self == View(self.channel):
            return base
        narrowed = (
            self.shape,
            None if self.agencies is None else sorted(self.agencies),
            self.kecamatan,
            None if self.wanted is None else self.wanted.written(),
            *([] if self.kelurahan is None else [self.kelurahan]),
        )
        return f"{base}.{sha256(encode(narrowed)).hexdigest()[:8]}"


#: Who works with people's names; the others read (domain: "executive and council: reads, no personal data").
_SHAPE: Final[Mapping[Role | None, Shape]] = {None: Shape.PUBLIC, Role.EXECUTIVE: Shape.IMPERSONAL}
#: Where officers are is for those who work with them.
_WITHOUT_OFFICERS: Final = frozenset({None, Role.AGENT, Role.EXECUTIVE, Role.AREA_HEAD})


def view_of(viewer: Viewer, channel: FeedChannel, wanted: Filter | None) -> View | None:
    """What `viewer` sees of `channel`; None when the channel is not for it.

    Incidents follow the viewer's agencies and area (both, where both are set; the whole city where neither is) as
    they do on the desk, officers its agencies; sensors, wifi nodes and key figures are the same for everybody.
    """
    match channel:
        case FeedChannel.INCIDENTS:
            shape = _SHAPE.get(viewer.role, Shape.WHOLE)
        case FeedChannel.OFFICERS:
            if viewer.role in _WITHOUT_OFFICERS:
                return None
            shape = Shape.WHOLE
        case FeedChannel.SENSORS | FeedChannel.WIFI_NODES | FeedChannel.KPIS:
            return View(channel, wanted=wanted)
    if viewer.role is None:
        return View(channel, shape, wanted=wanted)
    agencies = frozenset(str(agency) for agency in viewer.agencies) or None
    if channel is FeedChannel.OFFICERS:
        return View(channel, shape, agencies, wanted=wanted)
    return View(channel, shape, agencies, viewer.kecamatan, wanted, viewer.kelurahan)
