"""Whose access tokens are good."""

from enum import StrEnum


class Algorithm(StrEnum):
    """How a token may be signed."""

    ES256 = "ES256"
