"""Pictures as they are answered, and what their endpoints take and give, in JSON Schema for OpenAPI."""

from collections.abc import Iterable, Sequence
from typing import Any

from cas_fields.reading import Schema
from cas_kit.images import OutputFormat
from cas_listings.domain.images import ALT_TEXT, MOST_IMAGES, SHOWN_WIDTH, ImageState
from cas_listings.models import ListingImage, ServiceListing
from cas_listings.operations.images import Rejection

Document = dict[str, Any]

_COLUMNS = ("id", "state", "reason", "position", "alt_text", "width", "height", "placeholder")


def pictures(listing: ServiceListing, *, is_owner: bool) -> Document:
    """The pictures in a listing: to everybody but its owner, only those that are ready."""
    ready = [image for image in listing.images if image.state is ImageState.READY]
    shown = listing.images if is_owner else ready
    return {
        "images": [_url(image) for image in ready],
        "image_details": images(shown, among=shown),
    }


def images(shown: Iterable[ListingImage], *, among: Sequence[ListingImage]) -> list[Document]:
    """The full objects.

    :param among: all that there are; the first of them is the cover.
    """
    return [_image(image, is_cover=image is among[0]) for image in shown]


def rejection(rejected: Rejection) -> Document:
    """Why a file was not taken."""
    return {
        "filename": rejected.filename,
        "code": rejected.error.code,
        "message": rejected.error.detail,
    }


def _image(image: ListingImage, *, is_cover: bool) -> Document:
    return {
        **{name: getattr(image, name) for name in _COLUMNS},
        "is_cover": is_cover,
        "dominant_colour": image.dominant_colour,
        "url": _url(image),
        "variants": [
            {"width": each["width"], "format": each["format"], "url": _variant_url(image, each)}
            for each in image.variants or ()
        ],
        "created_at": image.created_at,
    }


def _url(image: ListingImage) -> str | None:
    """The form that a page shows: of a smaller picture, the largest."""
    webp = [each for each in image.variants or () if each["format"] == OutputFormat.WEBP]
    if not webp:
        return None
    return _variant_url(image, next((each for each in webp if each["width"] >= SHOWN_WIDTH), webp[-1]))


def _variant_url(image: ListingImage, variant: Document) -> str:
    return f"{image.url_prefix}/{variant['width']}.{variant['format']}"


# ---- OpenAPI ----

_TEXT: Schema = {"type": "string"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_MAYBE_PIXELS: Schema = {"type": ["integer", "null"], "minimum": 1}
_UUID: Schema = {"type": "string", "format": "uuid"}
_ALT_TEXT: Schema = {"type": "string", "maxLength": ALT_TEXT}
_FILES: Schema = {"type": "array", "items": {"type": "string", "format": "binary"}, "maxItems": MOST_IMAGES}


def _object(properties: dict[str, Schema], *, required: Iterable[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**properties},
        "required": [*(properties if required is None else required)],
    }


_VARIANT = _object(
    {
        "width": {"type": "integer", "minimum": 1},
        "format": {"type": "string", "enum": [*OutputFormat]},
        "url": _TEXT,
    }
)
IMAGE = _object(
    {
        "id": _UUID,
        "state": {"type": "string", "enum": [*ImageState]},
        "reason": {**_MAYBE_TEXT, "description": "Why it failed, for its owner."},
        "position": {"type": "integer", "minimum": 0},
        "is_cover": {"type": "boolean"},
        "alt_text": _ALT_TEXT,
        "width": _MAYBE_PIXELS,
        "height": _MAYBE_PIXELS,
        "placeholder": {**_MAYBE_TEXT, "description": "A data URI of at most 1 KB."},
        "dominant_colour": {"type": ["string", "null"], "pattern": "^#[0-9a-f]{6}$"},
        "url": {**_MAYBE_TEXT, "description": "The form 1280 pixels wide; null until it is ready."},
        "variants": {"type": "array", "items": _VARIANT},
        "created_at": {"type": "string", "format": "date-time"},
    }
)
IMAGES = _object({"images": {"type": "array", "items": IMAGE}})
ORDER = _object(
    {
        "images": {
            "type": "array",
            "items": _object({"id": _UUID, "alt_text": _ALT_TEXT}, required=["id"]),
        },
        "cover_id": _UUID,
    },
    required=["images"],
)
_REJECTION = _object({"filename": _TEXT, "code": _TEXT, "message": _TEXT})
_ACCEPTED = _object(
    {"images": {"type": "array", "items": IMAGE}, "rejected": {"type": "array", "items": _REJECTION}}
)

UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _object({"files": _FILES})},
            "image/*": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
UPLOADED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "What was accepted, and what was not.",
        "content": {"application/json": {"schema": _ACCEPTED}},
    },
    400: {"description": "The form is incomplete or malformed."},
    401: {"description": "No valid token."},
    404: {"description": "There is no such listing of yours."},
    409: {
        "description": (
            "The listing would have more than 10 pictures, or is archived, or a request with this `Idempotency-Key` "
            "is still running."
        )
    },
    412: {"description": "Another version is stored than `If-Match` names."},
    413: {"description": "Every file is larger than 5 MB, or the first that was refused is."},
    415: {"description": "No file is a picture, or the body is neither a form nor a file."},
    422: {"description": "No file can be accepted, or there is none."},
}
