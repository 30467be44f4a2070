"""What was read in a sentence, in a form that is short to compare."""

from cas_listings.domain.parse_query import parse_query


def said(text: str) -> dict[str, object]:
    """What was recognised, without what is empty."""
    parsed = parse_query(text)
    parts = {
        "subjects": " ".join(entry.id for entry in parsed.subjects),
        "levels": " ".join(entry.id for entry in parsed.levels),
        "in": parsed.location,
        "how": parsed.location_type,
        "min": parsed.prices.lowest,
        "max": parsed.prices.highest,
        "trial": parsed.free_trial_only,
        "terms": " ".join(parsed.terms),
    }
    return {
        name: value
        for name, value in parts.items()
        if value is not None and value is not False and value != ""
    }
