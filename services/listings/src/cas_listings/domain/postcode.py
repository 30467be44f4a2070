"""What the public sees of a postcode: its area."""

_INWARD = 3  # characters of the inward part of a British postcode, a digit and two letters
_OUTWARD = range(2, 5)


def postcode_area(postcode: str | None) -> str | None:
    """The outward part, "SW1A" of "SW1A 1AA"; None of what is no British postcode, which is not shown at all."""
    compact = "".join((postcode or "").upper().split())
    inward = compact[-_INWARD:]
    if len(compact) > _OUTWARD.stop - 1 or (len(inward) == _INWARD and _is_inward(inward)):
        outward, rest = compact[:-_INWARD], inward
    else:
        outward, rest = compact, ""
    if _is_outward(outward) and (not rest or _is_inward(rest)):
        return outward
    return None


def _is_inward(text: str) -> bool:
    return text.isascii() and text[:1].isdigit() and text[1:].isalpha()


def _is_outward(text: str) -> bool:
    return (
        len(text) in _OUTWARD
        and text.isascii()
        and text.isalnum()
        and text[0].isalpha()
        and any(char.isdigit() for char in text[1:])
    )
