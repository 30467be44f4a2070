"""Who counts as a visitor, and how one is told from another without being known (docs/spec/domain.md 6.8)."""

import hmac
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from cas_kit.errors import DomainError, Kind

# What programs that visit pages call themselves; a browser names itself and the make of a phone, none of these.
_BOTS = (
    *("bot", "crawl", "spider", "slurp", "scrap", "fetch", "preview", "monitor", "headless", "lighthouse"),
    *("facebookexternalhit", "whatsapp", "telegram", "curl", "wget", "python", "httpx", "aiohttp", "java/"),
    *("okhttp", "go-http-client", "libwww", "node", "axios", "postman", "insomnia", "phantomjs", "selenium"),
)
_PHONES = "cubot"  # a make, and the only one that sounds like a bot


class OwnListing(DomainError):
    kind = Kind.FORBIDDEN
    code = "forbidden"
    sentence = "This is your own listing."


class Counted(StrEnum):
    """What is counted, each once for a visitor, listing and day."""

    VIEW = "view"
    INQUIRY = "inquiry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request as far as it tells who visits; `user_id` is None without a token."""

    user_id: UUID | None
    address: str
    user_agent: str
    purpose: str = ""

    @property
    def is_by_a_person(self) -> bool:
        """Whether somebody looks at the page: no declared bot, and no browser that only prepares for a click."""
        name = self.user_agent.strip().lower().replace(_PHONES, "")
        return bool(name) and not any(bot in name for bot in _BOTS) and "prefetch" not in self.purpose.lower()

    def mark(self, key: bytes) -> bytes:
        """What stands for a visitor without a token in the marks of a day: a hash that nobody can trace back.

        :param key: of the day; who has it no more cannot try addresses out.
        """
        told = f"{self.address}\n{self.user_agent}".encode("utf-8", "surrogateescape")
        return hmac.digest(key, told, "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Whether a visit was counted, how many there are now, and whose listing it is."""

    counted: bool
    total: int
    owner: UUID
