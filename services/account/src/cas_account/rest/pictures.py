"""The pictures of the caller's own profile (docs/spec/domain.md 3.4)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from cas_account.domain.pictures import AVATAR, COVER, PicturePlace
from cas_account.operations.pictures import make_picture, remove_picture, show_picture, store_picture
from cas_account.rest import documents
from cas_account.rest.caller import (
    AccountDep,
    AccountDependencies,
    OwnersReadDep,
    OwnersWrite,
    OwnersWriteDep,
)
from cas_kit.errors import DomainError, Kind
from cas_kit.idempotency import IdempotencyKey, keyed_request
from cas_kit.images import FileMissing
from cas_kit.rest import IfMatchDep, etag, json_response, router
from cas_kit.uploads import read_files, upload_route

SAVED = {"avatar": "Your picture was saved.", "cover": "Your cover picture was saved."}

routes = router(tags=["pictures"], route_class=upload_route())
removals = router(tags=["pictures"])


class FilenameMissing(DomainError):
    """The existing web client names its file in the query (docs/spec/domain.md 3.4)."""

    kind = Kind.MALFORMED
    code = "filename-missing"
    sentence = "Say the name of the file, as ?filename=picture.jpg."


@dataclass(frozen=True, slots=True)
class Upload:
    """A request of an owner with a picture in it."""

    write: OwnersWrite
    data: bytes


async def _upload(
    request: Request, read: OwnersReadDep, if_match: IfMatchDep, key: IdempotencyKey = None
) -> Upload:
    """Read after the caller is known; a repeat is told by the file, because each form has boundaries of its own."""
    files = await read_files(request)
    if not files:
        raise FileMissing
    data = files[0].require()
    keyed = keyed_request(request, key, user_id=read.owner, content=data)
    return Upload(OwnersWrite(read.owner, read.database, if_match, keyed), data)


UploadDep = Annotated[Upload, Depends(_upload)]


@routes.post(
    "/api/account/avatar",
    summary="Upload your picture",
    description="Cut to squares of up to 400 pixels. Honours `If-Match` and `Idempotency-Key`.",
    openapi_extra=documents.UPLOAD,
    responses=documents.pictures(AVATAR),
)
def post_avatar(upload: UploadDep, account: AccountDep) -> Response:
    """Replaces the one before."""
    return _save(upload, account, AVATAR)


@routes.post(
    "/api/account/cover",
    summary="Upload your cover picture",
    description="Made up to 1920 pixels wide. Honours `If-Match` and `Idempotency-Key`.",
    openapi_extra=documents.UPLOAD,
    responses=documents.pictures(COVER),
)
def post_cover(upload: UploadDep, account: AccountDep) -> Response:
    """Replaces the one before."""
    return _save(upload, account, COVER)


async def _named(filename: str | None = None) -> None:
    if not filename:
        raise FilenameMissing


@routes.post(
    "/api/avatar/upload",
    summary="Upload your picture, for the existing web client",
    description="As `POST /api/account/avatar`; the name of the file is not used.",
    dependencies=[Depends(_named)],
    openapi_extra=documents.UPLOAD,
    responses=documents.pictures(AVATAR)
    | {400: {"description": "`filename` is missing, or the form broken."}},
)
def post_avatar_by_name(upload: UploadDep, account: AccountDep) -> Response:
    """Replaces the one before."""
    return _save(upload, account, AVATAR)


@removals.delete(
    "/api/account/avatar",
    summary="Remove your picture",
    description="Honours `If-Match` and `Idempotency-Key`.",
    responses=documents.PICTURE_REMOVED,
)
def delete_avatar(write: OwnersWriteDep) -> Response:
    """Also fine when there is none."""
    return _remove(write, AVATAR)


@removals.delete(
    "/api/account/cover",
    summary="Remove your cover picture",
    description="Honours `If-Match` and `Idempotency-Key`.",
    responses=documents.PICTURE_REMOVED,
)
def delete_cover(write: OwnersWriteDep) -> Response:
    """Also fine when there is none."""
    return _remove(write, COVER)


def _save(upload: Upload, account: AccountDependencies, place: PicturePlace) -> Response:
    """Decode and write the files, then show them in one short transaction.

    What is wrong with the file is an answer to repeat, like any other.
    """
    owner = upload.write.owner
    try:
        picture = make_picture(account.images, place=place, data=upload.data)
    except DomainError as error:
        refusal = error
        return upload.write.once(lambda _: _refuse(refusal))
    stored = store_picture(account.database, account.storage, user_id=owner, picture=picture)

    def show(session: Session) -> Response:
        profile = show_picture(
            session,
            user_id=owner,
            place=place,
            stored=stored,
            media_url=account.media_url,
            check_version=upload.write.if_match.check,
            now=datetime.now(UTC),
        )
        urls = stored.urls(place, media_url=account.media_url)
        shown = {column: getattr(profile, column) for column in place.url_columns}
        answer = {"success": True, "message": SAVED[place.name], **shown}
        answer |= {"url": shown[place.url_columns[0]], "variants": urls}
        return json_response(answer, headers={"ETag": etag(profile.version)})

    return upload.write.once(show)


def _refuse(refusal: DomainError) -> Response:
    raise refusal


def _remove(write: OwnersWrite, place: PicturePlace) -> Response:
    def remove(session: Session) -> Response:
        profile = remove_picture(
            session,
            user_id=write.owner,
            place=place,
            check_version=write.if_match.check,
            now=datetime.now(UTC),
        )
        return json_response({"success": True}, headers={"ETag": etag(profile.version)})

    return write.once(remove)
