"""Why a picture is refused, in sentences its owner can act on (docs/spec/domain.md 3.4)."""

from cas_kit.errors import DomainError, Kind


class FileMissing(DomainError):
    kind = Kind.INVALID
    code = "file-missing"
    sentence = "There is no file in the request. Choose a picture, then try again."


class FileTooLarge(DomainError):
    kind = Kind.TOO_LARGE
    code = "file-too-large"
    sentence = "The file is larger than 5 MB. Choose a smaller picture, or save it with less quality."


class UnsupportedImageType(DomainError):
    kind = Kind.UNSUPPORTED
    code = "unsupported-image-type"
    sentence = "The file is no JPEG, PNG or WebP picture. Save it as one of these, then try again."


class ImageUnreadable(DomainError):
    kind = Kind.INVALID
    code = "image-unreadable"
    sentence = "The picture is damaged or incomplete. Open it, save it anew, then try again."


class ImageTooLarge(DomainError):
    kind = Kind.INVALID
    code = "image-too-large"
    sentence = (
        "The picture may have at most 50 megapixels and 12,000 pixels on a side. Make it smaller, then retry."
    )
