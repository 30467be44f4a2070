"""Files in requests: as the body itself or as parts of a form, counted while they arrive and kept in memory.

A route for them is made with `upload_route` and reads them with `read_files`; nothing is written to a disk.
"""

from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from cas_kit.body import BODY_ALLOWANCE, BodyAllowance, media_type
from cas_kit.errors import DomainError, Kind, UnsupportedMediaType
from cas_kit.images.errors import FileMissing, FileTooLarge

FILE_BYTES = 5 * 1024 * 1024  # docs/spec/domain.md 3.4
FRAMING = 64 * 1024  # bytes of a form around its file: boundaries, headers, fields nobody asked for
MOST_FIELDS = 20  # parts of a form beside its files
HEADER_BYTES, HEADERS = 4096, 8  # of one part
NAME_LENGTH = 255
SEND_A_FILE = "Send the file in a form (multipart/form-data), or as the body with an image content type."


class MalformedForm(DomainError):
    kind = Kind.MALFORMED
    code = "malformed-form"
    sentence = "The form in the request is incomplete or malformed."


class TooManyFiles(DomainError):
    kind = Kind.INVALID
    code = "too-many-files"
    sentence = "There are too many files in one request. Send fewer at once."


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that a client sent.

    :param name: what the client calls it; to be shown, never to be used.
    :param content: nothing when it is too large.
    """

    name: str
    content: bytes
    is_too_large: bool = False

    def require(self) -> bytes:
        """The content.

        :raises FileMissing: there is none.
        :raises FileTooLarge: there was more than is taken.
        """
        if self.is_too_large:
            raise FileTooLarge
        if not self.content:
            raise FileMissing
        return self.content


def upload_route(*, most: int = 1, limit: int = FILE_BYTES) -> type[APIRoute]:
    """The class of routes that take this many files of this many bytes: `router(..., route_class=upload_route())`."""
    allowed = most * (limit + FRAMING)

    class UploadRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def allow_then_handle(request: Request) -> Response:
                allowance: BodyAllowance = request.scope[BODY_ALLOWANCE]
                allowance.left, allowance.refusal = allowed, FileTooLarge
                return await handle(request)

            return allow_then_handle

    return UploadRoute


async def read_files(
    request: Request, *, fields: Collection[str] = ("file",), most: int = 1, limit: int = FILE_BYTES
) -> list[UploadedFile]:
    """The files of a request, in order; none when it has none.

    Of a file that is too large no more is kept, and the others are still read.

    :param fields: names of the form's fields that are files.
    :raises UnsupportedMediaType: the body is neither a form nor a file.
    :raises MalformedForm: the form cannot be read to its end.
    :raises TooManyFiles: there are more than `most`.
    """
    kind = media_type(request)
    if kind == "multipart/form-data":
        return await _read_form(request, fields=fields, most=most, limit=limit)
    if kind.startswith("image/") or kind in {"application/octet-stream", ""}:
        return await _read_body(request, limit=limit)
    raise UnsupportedMediaType(SEND_A_FILE)


async def _read_body(request: Request, *, limit: int) -> list[UploadedFile]:
    part = _Part(limit)
    async for received in request.stream():
        part.add(received)
        if part.is_too_large:
            raise FileTooLarge
    return [part.as_file()]


async def _read_form(
    request: Request, *, fields: Collection[str], most: int, limit: int
) -> list[UploadedFile]:
    _, options = parse_options_header(request.headers["content-type"])
    form = _Form(fields=fields, most=most, limit=limit)
    try:
        parser = MultipartParser(
            options.get(b"boundary", b""),
            form.callbacks(),
            max_header_count=HEADERS,
            max_header_size=HEADER_BYTES,
        )
        async for received in request.stream():
            parser.write(received)
    except FormParserError as error:
        raise MalformedForm from error
    if not form.is_complete:
        raise MalformedForm
    return form.files


@dataclass(slots=True)
class _Part:
    """What arrived of one part so far; beyond the limit only that there was more."""

    limit: int
    headers: dict[bytes, bytes] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)
    is_too_large: bool = False

    def add(self, received: bytes) -> None:
        if self.is_too_large or len(self.content) + len(received) > self.limit:
            self.content, self.is_too_large = bytearray(), True
        else:
            self.content += received

    def as_file(self) -> UploadedFile:
        name = self._option(b"filename").rpartition("/")[2][:NAME_LENGTH]
        return UploadedFile(name, bytes(self.content), is_too_large=self.is_too_large)

    @property
    def field_name(self) -> str:
        return self._option(b"name")

    def _option(self, name: bytes) -> str:
        _, options = parse_options_header(self.headers.get(b"content-disposition", b""))
        return options.get(name, b"").decode("utf-8", "replace")


class _Form:
    """Follows a parser through a form and keeps the files."""

    def __init__(self, *, fields: Collection[str], most: int, limit: int) -> None:
        self.files: list[UploadedFile] = []
        self.is_complete = False
        self._fields, self._most, self._limit = fields, most, limit
        self._others = 0
        self._part = _Part(0)
        self._header_name, self._header_value = b"", b""

    def callbacks(self) -> Any:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._add_to_name,
            "on_header_value": self._add_to_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_content,
            "on_part_data": self._add_content,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self._part = _Part(self._limit)

    def _add_to_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._part.headers[self._header_name.lower()] = self._header_value
        self._header_name, self._header_value = b"", b""

    def _begin_content(self) -> None:
        if self._is_file():
            if len(self.files) == self._most:
                raise TooManyFiles
            return
        self._part.limit = 0  # nothing of a field is kept
        self._others += 1
        if self._others > MOST_FIELDS:
            raise MalformedForm

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        self._part.add(data[start:end])

    def _end_part(self) -> None:
        if self._is_file():
            self.files.append(self._part.as_file())

    def _end(self) -> None:
        self.is_complete = True

    def _is_file(self) -> bool:
        return self._part.field_name in self._fields
