"""What can be wrong with a question or with the data."""


class UnknownKind(LookupError):
    """There is no list of this name."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"unknown kind: {kind}")
        self.kind = kind


class TaxonomyDataInvalid(ValueError):
    """A data file is malformed or contradicts itself; the message names the place and the fault."""
