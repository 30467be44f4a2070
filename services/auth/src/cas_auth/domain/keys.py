"""The life of a signing key (docs/spec/auth-protocol.md 2.2)."""

from enum import StrEnum


class KeyState(StrEnum):
    """Life of a signing key: published ahead, then signing, then only verifying."""

    STANDBY = "standby"
    CURRENT = "current"
    PREVIOUS = "previous"
