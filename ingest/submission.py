"""From a checked report to a record that Kafka has acknowledged: ids, photos, contact apart, idempotency."""

import asyncio
from asyncio import Future
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

import h3
import structlog

from infra import failpoints, tracking_code
from infra.pending_photos import PendingPhotos
from infra.photos import CONTENT_TYPE, Photos, photo_id
from infra.problem import Problem, unavailable
from ingest import metrics
from ingest.headers import headers, rfc3339
from ingest.idempotency import IdempotencyKeys, Promise, other_body
from ingest.metrics import Outcome
from ingest.patience import Patience
from ingest.photos import EncodedPhoto, PhotoWorkers
from ingest.publisher import NotHandedOver, OutcomeUnknown, Outgoing, Publisher
from ingest.uploads import Upload
from schemas import topics
from schemas.envelope import Headers
from schemas.report import ContactGiven, Photo, ReportDraft, ReportReceipt, ReportSubmitted
from schemas.wire import encode

log = structlog.get_logger()

_accepted: Final = metrics.REPORTS.labels(Outcome.ACCEPTED)
#: Cells of some 5 km²: reports of one neighbourhood go through one partition.
_CELL_RESOLUTION: Final = 7
_TIDY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Submission:
    """A report that keeps all rules, on its way in."""

    draft: ReportDraft
    photos: Sequence[Upload]
    #: Who sent it: a username, `key:<id>`, or None for a citizen.
    sender: str | None
    idempotency_key: str | None
    at: datetime
    traceparent: str
    patience: Patience

    def digest(self) -> str:
        """The same for the same parsed report with the same photo bytes in the same order."""
        return sha256(encode(self.draft) + b"".join(photo.digest for photo in self.photos)).hexdigest()


class Submissions:
    """Takes reports in. Every way out but a receipt is a `Problem`."""

    def __init__(
        self,
        publisher: Publisher,
        photos: Photos,
        pending: PendingPhotos,
        workers: PhotoWorkers,
        keys: IdempotencyKeys,
        secret: bytes,
        *,
        training: bool = False,
    ) -> None:
        self._publisher = publisher
        self._photos = photos
        self._pending = pending
        self._workers = workers
        self._keys = keys
        self._secret = secret
        self._training = training
        #: Requests under way by the place of their key: the same one a second time waits for the first.
        self._under_way: dict[str, tuple[str, Future[ReportReceipt]]] = {}
        self._tidying: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Let end what nobody waits for, as long as a disk that works takes for it."""
        if self._tidying:
            await asyncio.wait(self._tidying, timeout=_TIDY_S)

    async def take(self, submission: Submission) -> ReportReceipt:
        """The receipt, once Kafka has the report; for a repeated key the receipt that was given before."""
        try:
            if submission.idempotency_key is None:
                return await self._take_new(submission)
            return await self._take_once(submission, submission.idempotency_key)
        except OSError as error:
            metrics.REPORTS.labels(Outcome.UNAVAILABLE).inc()
            log.warning("object_store_away", error=type(error).__name__)
            raise unavailable("Photos and keys cannot be kept right now. Nothing was taken; try again.") from error

    async def _take_new(self, submission: Submission) -> ReportReceipt:
        promise = self._promise(submission, digest="")
        if not submission.photos:
            return await self._hand_over(submission, promise, ())
        with self._workers.admit(len(submission.photos)) as admission:
            encoded = await admission.encode([upload.path for upload in submission.photos])
        try:
            kept = await self._keep(submission, promise, encoded)
            receipt = await self._hand_over(submission, promise, kept)
        except (Problem, OSError) as error:
            # Its note stays: what a slow disk still writes is found by it.
            if not (isinstance(error, Problem) and error.slug == "outcome-unknown"):
                self._tidy(self._photos.erase(promise.report_id), promise)
            raise
        self._tidy(self._pending.end(promise.report_id), promise)
        return receipt

    def _tidy(self, work: Coroutine[Any, Any, object], promise: Promise) -> None:
        """Nobody waits for it: the disk may be what was slow. What is not done here the sweep does."""

        async def tidy() -> None:
            try:
                await work
            except OSError as error:
                log.warning("photos_left_behind", report_id=promise.report_id, error=type(error).__name__)

        task = asyncio.create_task(tidy())
        self._tidying.add(task)
        task.add_done_callback(self._tidying.discard)

    async def _take_once(self, submission: Submission, key: str) -> ReportReceipt:
        name = self._keys.name(submission.sender or "", key)
        digest = submission.digest()
        if (other := self._under_way.get(name)) is not None:
            if other[0] != digest:
                raise other_body()
            metrics.REPORTS.labels(Outcome.REPEATED).inc()
            return await asyncio.shield(other[1])
        answer: Future[ReportReceipt] = asyncio.get_running_loop().create_future()
        self._under_way[name] = digest, answer
        try:
            receipt = await self._settle(submission, name, digest)
        except BaseException as error:
            answer.set_exception(error if isinstance(error, Exception) else unavailable("Stopped while at it."))
            answer.exception()  # nobody else may be waiting for it
            raise
        else:
            answer.set_result(receipt)
            return receipt
        finally:
            del self._under_way[name]

    async def _settle(self, submission: Submission, name: str, digest: str) -> ReportReceipt:
        patience = submission.patience
        async with patience.limit():
            promise = await self._keys.find(name)
            kept_before = promise is not None and await self._keys.is_kept(name, promise)
        if promise is not None:
            if promise.digest != digest:
                raise other_body()
            if kept_before:
                metrics.REPORTS.labels(Outcome.REPEATED).inc()
                return _receipt(promise)
        # From here on it is sent, perhaps once more: the same event again has no second effect.
        with self._workers.admit(len(submission.photos)) as admission:
            encoded = await admission.encode([upload.path for upload in submission.photos])
            if promise is None:
                async with patience.limit():
                    promise = await self._keys.claim(name, self._promise(submission, digest))
                if promise.digest != digest:
                    raise other_body()
                failpoints.hit("ingest.after_idempotency")
            kept = await self._keep(submission, promise, encoded)
        receipt = await self._hand_over(submission, promise, kept)
        if kept:
            self._tidy(self._pending.end(promise.report_id), promise)
        try:
            async with patience.limit():
                await self._keys.keep(name, promise)
        except OSError as error:
            log.warning("object_store_away", error=type(error).__name__)
        return receipt

    def _promise(self, submission: Submission, digest: str) -> Promise:
        return Promise(
            digest=digest,
            report_id=uuid4().hex,
            tracking_code=tracking_code.new(self._secret, training=self._training),
            submitted_at=submission.at,
        )

    async def _keep(
        self, submission: Submission, promise: Promise, encoded: Sequence[EncodedPhoto]
    ) -> tuple[Photo, ...]:
        patience, kept = submission.patience, []
        if encoded:
            async with patience.limit():
                # First: whatever comes after it is found by the sweep, also when this process dies here.
                await self._pending.begin(
                    promise.report_id, submission.at, with_key=submission.idempotency_key is not None
                )
        for n, photo in enumerate(encoded, start=1):
            async with patience.limit():
                sha = await self._photos.keep(promise.report_id, n, photo.full, photo.thumbnail)
            kept.append(
                Photo(
                    id=photo_id(promise.report_id, n),
                    sha256=sha,
                    content_type=CONTENT_TYPE,
                    width=photo.width,
                    height=photo.height,
                )
            )
        if kept:
            failpoints.hit("ingest.after_photos")
        return tuple(kept)

    async def _hand_over(self, submission: Submission, promise: Promise, photos: tuple[Photo, ...]) -> ReportReceipt:
        deadline = submission.patience.deadline
        contact = _contact(submission, promise, self._training)
        try:
            if contact is not None:
                try:
                    await self._publisher.publish(topics.CONTACT.name, contact, deadline)
                except OutcomeUnknown as error:
                    # A contact without its report is nobody's: the report has not been handed over.
                    raise NotHandedOver from error
                failpoints.hit("ingest.after_contact")
            report = _report(submission, promise, photos, self._training)
            await self._publisher.publish(topics.REPORT.name, report, deadline)
        except NotHandedOver as error:
            metrics.REPORTS.labels(Outcome.UNAVAILABLE).inc()
            raise unavailable("Reports cannot be taken right now. Nothing was taken; try again.") from error
        except OutcomeUnknown as error:
            metrics.REPORTS.labels(Outcome.UNKNOWN).inc()
            log.warning("report_outcome_unknown", report_id=promise.report_id)
            raise unavailable(
                "The report was handed on and not confirmed in time. Repeat it with the same Idempotency-Key to settle "
                "it; without one a repeat is a new report.",
                slug="outcome-unknown",
            ) from error
        failpoints.hit("ingest.after_ack")
        _accepted.inc()
        return _receipt(promise)


def _receipt(promise: Promise) -> ReportReceipt:
    return ReportReceipt(
        report_id=promise.report_id,
        tracking_code=promise.tracking_code,
        status_url=f"/api/v1/reports/{promise.tracking_code}",
    )


def _report(submission: Submission, promise: Promise, photos: tuple[Photo, ...], training: bool) -> Outgoing:
    draft = submission.draft
    value = ReportSubmitted(
        report_id=promise.report_id,
        tracking_code=promise.tracking_code,
        description=draft.description,
        channel=draft.channel,
        submitted_at=promise.submitted_at,
        category=draft.category,
        lat=draft.lat,
        lon=draft.lon,
        address=draft.address,
        observed_at=draft.observed_at,
        photos=photos,
        submitted_by=submission.sender,
        consent=draft.reporter.consent if draft.reporter else None,
    )
    if draft.lat is not None and draft.lon is not None:
        key = h3.latlng_to_cell(draft.lat, draft.lon, _CELL_RESOLUTION)
    else:
        key = promise.report_id
    about = _headers(topics.REPORT_SUBMITTED, "", submission, promise, training)
    return Outgoing(key.encode(), encode(value), about)


def _contact(submission: Submission, promise: Promise, training: bool) -> Outgoing | None:
    reporter = submission.draft.reporter
    if reporter is None or not (reporter.name or reporter.phone or reporter.email):
        return None
    value = ContactGiven(
        report_id=promise.report_id,
        given_at=promise.submitted_at,
        name=reporter.name,
        phone=reporter.phone,
        email=reporter.email,
        anonymous=reporter.anonymous,
    )
    about = _headers(topics.CONTACT_GIVEN, ".contact", submission, promise, training)
    return Outgoing(promise.report_id.encode(), encode(value), about)


def _headers(event_type: str, suffix: str, submission: Submission, promise: Promise, training: bool) -> Headers:
    return headers(
        event_type,
        promise.report_id + suffix,
        promise.report_id.encode(),
        rfc3339(promise.submitted_at),
        submission.traceparent.encode(),
        training=training,
    )
