"""What one option of a list knows about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Surface(StrEnum):
    """A place of the interface that offers entries, in its own selection and wording."""

    TEMPLATE = "template"
    AGENT = "agent"  # the agents' template form: as TEMPLATE wherever the data says nothing else
    WIZARD = "wizard"  # the onboarding wizards
    LISTING = "listing"  # the listing wizard
    FILTER = "filter"  # the marketplace filter


@dataclass(frozen=True, slots=True)
class Window:
    """Recurring hours: ISO weekdays (1 = Monday) and ``HH:MM`` times, the end excluded."""

    days: tuple[int, ...]
    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One option of a kind. The id is stable for ever; labels are for people and may change."""

    kind: str
    id: str
    order: int
    label: str
    labels: Mapping[Surface, str] = field(default_factory=dict, hash=False)  # where they differ from `label`
    aliases: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    offered: Mapping[Surface, int] = field(
        default_factory=dict, hash=False
    )  # place among a surface's options
    default: bool = False  # preselected where nothing was chosen
    related: tuple[str, ...] = ()  # "kind/id" of the nearest entry of another kind
    satisfies: tuple[str, ...] = ()  # ids whose filter this entry answers without descending from them
    min: int | None = None  # of a band, in the unit of its kind
    max: int | None = None  # None beside a `min`: open
    sends: Mapping[Surface, int] = field(
        default_factory=dict, hash=False
    )  # the number a form sends for a rate
    window: Window | None = None  # of an availability slot
    deprecated: bool = False
    replaced_by: str | None = None

    @property
    def wire(self) -> str:
        """The spelling of slots, session types and delivery modes in the API: ``weekday_morning``."""
        return self.id.replace("-", "_")
