"""Time-based one-time passwords (RFC 6238) as authenticator apps make them: six digits, new ones every 30 seconds."""

import io
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pyotp
import segno
from pyotp.exceptions import OTPVerificationError

from cas_auth.credentials.encryption import EncryptionKey

PURPOSE = "second factors"
# Clocks differ, and typing takes a moment: the code of one step before and after is good as well.
STEPS_AROUND = 1
QR_SCALE = 4  # pixels for each module, on a screen that is photographed
_CODE = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class TotpSecret:
    """A new secret for an authenticator app, as text to type, and as the database may hold it."""

    text: str
    sealed: bytes

    def uri(self, *, account: str, issuer: str) -> str:
        """The secret as apps read it from a QR code, with what they show beside the codes."""
        # A colon separates the two, and apps do not agree on what an escaped one means.
        app = pyotp.TOTP(self.text, name=account, issuer=issuer.replace(":", " "))
        return app.provisioning_uri()


class TotpSecrets:
    """Makes secrets, and recognises their codes."""

    def __init__(self, encryption_key: EncryptionKey) -> None:
        self._key = encryption_key

    def make(self, factor_id: UUID) -> TotpSecret:
        """A new secret for the factor of this id."""
        return self.of(pyotp.random_base32(), factor_id=factor_id)

    def of(self, text: str, *, factor_id: UUID) -> TotpSecret:
        """The secret that somebody's app has already, for the factor of this id."""
        return TotpSecret(text, self._key.seal(text.encode(), purpose=PURPOSE, name=str(factor_id)))

    def step_of(self, code: str, *, sealed: bytes, factor_id: UUID, now: datetime) -> int | None:
        """The time step whose code this is; None when it is no code of these minutes."""
        digits = "".join(code.split())
        if not _CODE.fullmatch(digits):
            return None
        text = self._key.unseal(sealed, purpose=PURPOSE, name=str(factor_id)).decode()
        try:
            return pyotp.TOTP(text).verify_and_get_timecode(digits, for_time=now, valid_window=STEPS_AROUND)
        except OTPVerificationError:
            return None


def qr_code(text: str) -> str:
    """`text` as a QR code, in SVG.

    The client puts it behind `data:image/svg+xml;utf-8,` as it is, where a `#` would end it: colours have names.
    """
    drawn = io.BytesIO()
    segno.make(text, micro=False).save(
        drawn,
        kind="svg",
        scale=QR_SCALE,
        dark="#000",
        light="#fff",
        xmldecl=False,
        svgclass=None,
        lineclass=None,
        nl=False,
    )
    return drawn.getvalue().decode().replace("#000", "black").replace("#fff", "white")
