"""What every package's tests share; `cas_kit.testing.plugin` is loaded by pytest itself."""

from cas_kit.testing.issuer import Issuer
from cas_kit.testing.jwks_server import JwksServer
from cas_kit.testing.waiting import until

__all__ = ["Issuer", "JwksServer", "until"]
