"""A report as a form, in every way it can be wrong; no file and no byte of the budget ever stays behind."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from fastapi import Request

from infra.problem import Problem
from ingest import form as form_module
from ingest.form import MAX_FORM_BYTES, MAX_PHOTO_BYTES, MAX_REPORT_BYTES, Form, read_form
from ingest.uploads import Uploads

BOUNDARY = "b0undary"
REPORT = b'{"description":"Macet"}'


def part(name: str, content: bytes, *more: str, disposition: str = "form-data") -> bytes:
    head = "".join(f"{line}\r\n" for line in (f'Content-Disposition: {disposition}; name="{name}"', *more))
    return f"--{BOUNDARY}\r\n{head}\r\n".encode() + content + b"\r\n"


def photo(content: bytes = b"\xff\xd8\xff photo", filename: str = "foto.jpg") -> bytes:
    return part("photo", content, "Content-Type: image/jpeg").replace(
        b'name="photo"', b'name="photo"; filename="%s"' % filename.encode()
    )


def whole(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def request(body: bytes, media: str = f"multipart/form-data; boundary={BOUNDARY}", size: int = 1000) -> Request:
    pieces = iter([body[at : at + size] for at in range(0, len(body), size)] or [b""])
    waiting = [next(pieces)]

    async def receive() -> dict[str, object]:
        piece = waiting.pop()
        following = next(pieces, None)
        if following is not None:
            waiting.append(following)
        return {"type": "http.request", "body": piece, "more_body": following is not None}

    headers = [(b"content-type", media.encode()), (b"content-length", str(len(body)).encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


@pytest.fixture
async def uploads(tmp_path: Path) -> AsyncIterator[Uploads]:
    found = Uploads(tmp_path / "uploads", 64 * 1024 * 1024)
    yield found
    assert list((tmp_path / "uploads").glob("*")) == []
    assert found._budget.used == 0


async def read(uploads: Uploads, body: bytes, **options: object) -> tuple[bytes, list[bytes]]:
    with Form() as form:
        await read_form(request(body, **options), form, uploads)  # type: ignore[arg-type]
        return form.report, [upload.path.read_bytes() for upload in form.photos]


async def refusal(uploads: Uploads, body: bytes, **options: object) -> Problem:
    with pytest.raises(Problem) as refused:
        await read(uploads, body, **options)
    return refused.value


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
async def test_report_and_photos_come_apart_however_the_bytes_arrive(uploads: Uploads, size: int) -> None:
    pictures = [b"\xff\xd8\xff" + bytes([n]) * 300 + b"\r\n--b0undar\r\n-" for n in range(5)]
    body = whole(part("report", REPORT), *(photo(picture) for picture in pictures))
    assert await read(uploads, body, size=size) == (REPORT, pictures)


@pytest.mark.parametrize(
    "report",
    [
        part("report", REPORT),
        part("report", REPORT, "Content-Type: application/json"),
        part("report", REPORT, "Content-Type: application/json; charset=utf-8"),
        part("report", REPORT, "Content-Type: text/plain"),
        part("report", REPORT, "Content-Type: application/json").replace(
            b'name="report"', b'name="report"; filename="blob"'
        ),
    ],
)
async def test_clients_write_the_report_part_in_several_ways(uploads: Uploads, report: bytes) -> None:
    assert (await read(uploads, whole(photo(), report)))[0] == REPORT


@pytest.mark.parametrize(
    "filename",
    [
        "",
        "../../etc/passwd",
        "a\\b.jpg",
        "x" * 500,
        "foto.php",
        "\u202egpj.exe",
        "é.jpg",
        "a;b=c.jpg",
        "con",
        "a%00.jpg",
    ],
)
async def test_the_name_of_a_file_means_nothing(uploads: Uploads, filename: str) -> None:
    assert await read(uploads, whole(part("report", REPORT), photo(b"x", filename))) == (REPORT, [b"x"])


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, whole()),
        (422, whole(photo())),
        (422, whole(part("report", REPORT), part("report", REPORT))),
        (422, whole(part("report", REPORT), part("status", b"closed"))),
        (422, whole(part("report", REPORT), part("", b"x"))),
        (422, whole(part("report", REPORT), part("PHOTO", b"x"))),
        (422, whole(part("report", REPORT), *[photo()] * 6)),
        (422, whole(part("report", REPORT), *[photo()] * 100)),
        (413, whole(part("report", b" " * (MAX_REPORT_BYTES + 1)))),
        (413, whole(part("report", REPORT), photo(b"x" * (MAX_PHOTO_BYTES + 1)))),
        (415, whole(part("report", REPORT, "Content-Type: application/xml"))),
        (415, whole(part("report", REPORT, "Content-Type: image/jpeg"))),
        (415, whole(part("report", REPORT, "Content-Transfer-Encoding: base64"))),
        (415, whole(part("report", REPORT), part("photo", b"eA==", "Content-Transfer-Encoding: base64"))),
        (400, b""),
        (400, b"nonsense"),
        (400, REPORT),
        (400, part("report", REPORT)),
        (400, whole(part("report", REPORT))[:-10]),
        (400, part("report", REPORT) + photo(b"x" * 5000)[:3000]),
        (400, whole(part("report", REPORT)).replace(BOUNDARY.encode(), b"other")),
        (400, whole(part("report", REPORT)).replace(b"\r\n", b"\n")),
        (400, whole(part("report", REPORT, *(f"x-{n}: y" for n in range(100))))),
        (400, whole(part("report", REPORT, "x: " + "y" * 10_000))),
        (400, whole(part("report", REPORT, disposition="attachment"))),
        (400, whole(f"--{BOUNDARY}\r\n\r\n".encode() + REPORT + b"\r\n")),
    ],
    ids=range(26),
)
async def test_a_form_that_is_wrong_is_refused(uploads: Uploads, status: int, body: bytes) -> None:
    problem = await refusal(uploads, body)
    assert problem.status == status, problem.detail


@pytest.mark.parametrize(
    "media", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "x" * 300]
)
async def test_a_form_without_a_usable_boundary_is_400(uploads: Uploads, media: str) -> None:
    assert (await refusal(uploads, whole(part("report", REPORT)), media=media)).status == 400


async def test_the_largest_form_is_taken_and_a_larger_one_refused(uploads: Uploads) -> None:
    largest = whole(part("report", REPORT), *[photo(b"x" * MAX_PHOTO_BYTES)] * 5)
    _, photos = await read(uploads, largest, size=256 * 1024)
    assert [len(each) for each in photos] == [MAX_PHOTO_BYTES] * 5
    preamble = b"x" * (MAX_FORM_BYTES - len(largest) + 1)
    assert (await refusal(uploads, preamble + largest, size=256 * 1024)).status in (400, 413)


async def test_many_at_once_get_no_more_than_the_disk_they_may_have(tmp_path: Path) -> None:
    small = Uploads(tmp_path / "small", 1000)
    body = whole(part("report", REPORT), photo(b"x" * 600))
    with Form() as first:
        await read_form(request(body), first, small)
        problem = await refusal(small, body)
        assert problem.status == 503 and problem.headers["Retry-After"]
    assert len((await read(small, body))[1]) == 1


async def test_a_disk_that_cannot_be_written_is_503(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    broken = Uploads(tmp_path / "file" / "uploads", 1000)
    assert (await refusal(broken, whole(part("report", REPORT), photo()))).status == 503


async def test_who_sends_a_byte_a_second_is_not_waited_for(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_module, "_GRACE_S", 0.2)

    async def drip() -> dict[str, object]:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    headers = [(b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode())]
    slow = Request({"type": "http", "method": "POST", "headers": headers}, drip_after(part("report", b""), drip))
    with pytest.raises(Problem) as refused, Form() as form:
        await read_form(slow, form, uploads)
    assert refused.value.status == 408


def drip_after(first: bytes, drip: Callable[[], object]) -> Callable[[], object]:
    sent = False

    async def receive() -> object:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": first[:-2], "more_body": True}
        return await drip()  # type: ignore[misc]

    return receive


async def test_leftovers_of_a_killed_process_are_swept(uploads: Uploads, tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "1-2-3").write_bytes(b"x")
    now = (folder / "1-2-3").stat().st_mtime
    uploads.sweep(now + 60)
    assert len(list(folder.iterdir())) == 1
    uploads.sweep(now + 3601)
    assert list(folder.iterdir()) == []
