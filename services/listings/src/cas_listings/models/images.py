"""Pictures of listings, each the job of processing it as long as it is pending (docs/adr/0016)."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from cas_kit.db import text_enum
from cas_kit.images import Picture
from cas_listings.domain.images import LEASE, MAX_STRIKES, ImageState, public_path, upload_path
from cas_listings.models.schema import Base, Document, Instant, Words

Tries = Annotated[int, mapped_column(default=0, server_default=text("0"))]


class ListingImage(Base):
    """A picture: first its uploaded file, then what was made of it.

    `run_after` is when a pending one is due, and the end of the lease of whoever processes it. `attempts` tells one try
    from every other; `strikes` counts those of which nobody learnt how they went, or that should have gone well.
    `url_prefix` is the address below which the variants were published.
    """

    __tablename__ = "listing_images"
    __table_args__ = (
        UniqueConstraint("listing_id", "upload_digest"),
        CheckConstraint("char_length(alt_text) <= 200", name="alt_text_length"),
        CheckConstraint(
            "(state = 'ready') = (digest IS NOT NULL AND url_prefix IS NOT NULL AND variants IS NOT NULL)",
            name="ready",
        ),
        CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="failed"),
        Index("ix_listing_images_due", "run_after", postgresql_where=text("state = 'pending'")),
        Index("ix_listing_images_pending", "id", postgresql_where=text("state = 'pending'")),
        Index(None, "profile_id", "upload_digest"),
        Index(None, "profile_id", "digest"),
    )

    listing_id: Mapped[UUID] = mapped_column(
        ForeignKey("service_listings.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    profile_id: Mapped[UUID]
    state: Mapped[ImageState] = mapped_column(text_enum(ImageState, name="state"))
    reason: Mapped[Words | None]
    position: Mapped[int]
    alt_text: Mapped[str] = mapped_column(Text, default="", server_default="")
    upload_digest: Mapped[Words]
    digest: Mapped[Words | None]
    url_prefix: Mapped[Words | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    placeholder: Mapped[Words | None]
    dominant_colour: Mapped[Words | None]
    variants: Mapped[list[Document] | None] = mapped_column(JSONB(none_as_null=True))
    attempts: Mapped[Tries]
    strikes: Mapped[Tries]
    run_after: Mapped[Instant]
    created_at: Mapped[Instant]

    @classmethod
    def uploaded(cls, *, owner: UUID, upload_digest: str, now: datetime) -> "ListingImage":
        """A picture that waits to be processed."""
        return cls(
            id=uuid4(),
            profile_id=owner,
            state=ImageState.PENDING,
            upload_digest=upload_digest,
            attempts=0,
            strikes=0,
            run_after=now,
            created_at=now,
            alt_text="",
        )

    def copy(self, *, now: datetime) -> "ListingImage":
        """The same picture for another listing: the files are shared."""
        copy = ListingImage.uploaded(owner=self.profile_id, upload_digest=self.upload_digest, now=now)
        for name in _MADE:
            setattr(copy, name, getattr(self, name))
        return copy

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the files are that it uses."""
        uploaded = upload_path(self.profile_id, self.upload_digest)
        return (uploaded, public_path(self.profile_id, self.digest)) if self.digest else (uploaded,)

    # ---- processing ----

    @property
    def never_finishes(self) -> bool:
        """Whether it takes down whoever processes it."""
        return self.strikes >= MAX_STRIKES

    def begin(self, now: datetime) -> None:
        """Count a try before its work, and keep others away until it must be over."""
        self.attempts += 1
        self.strikes += 1
        self.run_after = now + LEASE

    def put_off(self, *, delay: timedelta, is_excused: bool, now: datetime) -> None:
        """End a try that may go better later.

        :param is_excused: it was not the picture's doing.
        """
        self.run_after = now + delay
        if is_excused:
            self.strikes -= 1

    def fail(self, reason: str) -> None:
        """Give it up; the reason is for its owner."""
        self.state, self.reason = ImageState.FAILED, reason

    def try_again(self, *, now: datetime) -> None:
        """After its owner has uploaded the file again."""
        self.state, self.reason, self.strikes, self.run_after = ImageState.PENDING, None, 0, now

    def finish(self, picture: Picture, *, media_url: str) -> None:
        """Show what was made of it."""
        self.state = ImageState.READY
        self.digest = picture.digest
        self.url_prefix = f"{media_url}{public_path(self.profile_id, picture.digest)}"
        self.width, self.height = picture.width, picture.height
        self.placeholder, self.dominant_colour = picture.placeholder, picture.dominant_colour
        self.variants = [
            {"width": each.width, "height": each.height, "format": each.format.value}
            for each in picture.variants
        ]


_MADE = (
    "state",
    "position",
    "alt_text",
    "digest",
    "url_prefix",
    "width",
    "height",
    "placeholder",
    "dominant_colour",
    "variants",
)
