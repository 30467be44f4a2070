"""Values in ranges: years, head counts, prices."""

from decimal import Decimal

from cas_taxonomy.entry import Entry, Surface
from cas_taxonomy.lookup import entries, label_for, offered, resolve

COMMISSION_CHOICES = (10, 15, 20, 25, 30)  # percent, as the agent wizard offers them


def convert_band(kind: str, source: Entry | str, surface: Surface) -> Entry | None:
    """The band of the surface's form that stands for the source; the source itself where it is offered.

    Otherwise the form's band holding the source's lower bound, so that a conversion never overstates
    (docs/spec/domain.md 2.10). None when the text is unknown or no band of the form holds that bound. An entry of
    another kind in the same unit is converted too: an agency's years in business into teaching experience.
    """
    entry = resolve(kind, source) if isinstance(source, str) else source
    if entry is None:
        return None
    choices = offered(kind, surface)
    if entry in choices:
        return entry
    holding = [band for band in choices if _holds_lower_bound(band, entry)]
    # Neighbours share a bound ("1-3", "3-5"): three years begin the higher one.
    return max(holding, key=lambda band: band.min or 0, default=None)


def relabel(kind: str, text: str, surface: Surface) -> str:
    """Write a value as the surface's form does, so that the form shows it selected; free text is only trimmed."""
    entry = resolve(kind, text)
    if entry is None:
        return text.strip()
    return label_for(convert_band(kind, entry, surface) or entry, surface)


def rate_range(number: float | Decimal) -> Entry | None:
    """The rate band (``min`` and ``max`` in GBP) behind one of the five numbers the tutor wizard sends.

    No other number is turned back into a band (docs/spec/domain.md 2.12).
    """
    return next((band for band in entries("rate-bands") if band.sends.get(Surface.WIZARD) == number), None)


def _holds_lower_bound(band: Entry, source: Entry) -> bool:
    if band.min is None or source.min is None:
        return False
    return band.min <= source.min and (band.max is None or source.min <= band.max)
