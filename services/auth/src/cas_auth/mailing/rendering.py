"""From what one mail says to its subject, HTML and text."""

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from cas_auth.domain.mails import MailKind

TEXT_WIDTH = 72
# Letters, accents, and what stands between them in names. No dots, slashes, digits or colons: mail clients turn what
# looks like an address into a link, and whoever signs up with somebody else's address chooses the name.
NAME = re.compile(r"[^\W\d_]+(?:[ '\u2019-][^\W\d_]+){0,4}")
NAME_MAX_CHARACTERS = 40
PAGE = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """Who writes.

    :param support_address: where people get help; None when there is nobody.
    """

    name: str
    support_address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one mail says beside what all of its kind say; which fields a kind needs, its template tells.

    :param link: what its button opens; `code`: what can be typed instead; `valid_for`: how long both work.
    :param name: of whom it goes to, as they typed it; left out where it does not look like a name.
    :param provider: such as `Google`; `factor`: such as `An authenticator app`.
    """

    kind: MailKind
    link: str | None = None
    code: str | None = None
    valid_for: timedelta | None = None
    name: str | None = None
    new_address: str | None = None
    provider: str | None = None
    factor: str | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    html: str
    text: str


class Incomplete(Exception):
    """Something is missing that a mail of its kind has to say: a mistake in this program."""


def render(facts: Facts, *, brand: Brand) -> Rendered:
    """Write the mail.

    :raises Incomplete: the facts lack something its kind needs.
    """
    if facts.link and not PAGE.fullmatch(facts.link):
        raise Incomplete("the link is no address of a page")
    values: dict[str, object] = {
        "brand": brand,
        "link": facts.link,
        "code": facts.code,
        "valid_for": facts.valid_for and spoken_duration(facts.valid_for),
        "name": presentable_name(facts.name),
        "new_address": facts.new_address,
        "provider": facts.provider,
        "factor": facts.factor,
        "happened_at": facts.happened_at and spoken_instant(facts.happened_at),
    }
    template = f"{facts.kind}.j2"
    text = _TEXT.get_template(template)
    return Rendered(
        subject=prose(_block(text, "subject", values), width=None),
        html=_HTML.get_template(template).render(values | {"layout": "layout.html"}),
        text=text.render(values | {"layout": "layout.txt"}),
    )


def presentable_name(name: str | None) -> str | None:
    """The name when it can only be read as one, else None."""
    if name and len(name) <= NAME_MAX_CHARACTERS and NAME.fullmatch(name):
        return name
    return None


def spoken_duration(duration: timedelta) -> str:
    """Such as `15 minutes`, `1 hour`, `1 day`; rounded down to what a person would say."""
    minutes = int(duration.total_seconds()) // 60
    for unit, size in (("day", 1440), ("hour", 60)):
        if minutes >= size and minutes % size == 0:
            return _counted(minutes // size, unit)
    return _counted(max(minutes, 1), "minute")


def spoken_instant(instant: datetime) -> str:
    """Such as `1 March 2026 at 12:00 UTC`."""
    utc = instant.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y} at {utc:%H:%M} UTC"


def prose(text: str, *, width: int | None = TEXT_WIDTH) -> str:
    """One paragraph, its white space evened out."""
    words = " ".join(text.split())
    if width is None:
        return words
    return textwrap.fill(words, width, break_long_words=False, break_on_hyphens=False)


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _said(value: object) -> object:
    if value is None:
        raise Incomplete("the facts lack something its kind needs")
    return value


def _environment(*, autoescape: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("cas_auth.mailing"),
        autoescape=autoescape,  # noqa: S701  off for plain text only
        undefined=StrictUndefined,
        finalize=_said,
        keep_trailing_newline=True,
    )
    filters: dict[str, Callable[..., str]] = {"prose": prose}
    environment.filters.update(filters)
    return environment


def _block(template: Template, name: str, values: dict[str, object]) -> str:
    context = template.new_context(values | {"layout": "layout.txt"})
    return "".join(template.blocks[name](context))


_HTML = _environment(autoescape=True)
_TEXT = _environment(autoescape=False)
