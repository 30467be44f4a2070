"""Where requests come from, as far as it matters who is there (docs/spec/auth-protocol.md 4)."""

import ipaddress
from datetime import timedelta
from ipaddress import IPv4Address

# What one household, office or carrier usually has to itself.
IPV4_NETWORK_BITS = 24
IPV6_NETWORK_BITS = 64
# A network nobody signed in from for this long is strange again.
KNOWN_FOR = timedelta(days=90)


def network_of(ip: str) -> str:
    """The network this address belongs to, in CIDR notation."""
    address = ipaddress.ip_address(ip)
    bits = IPV4_NETWORK_BITS if isinstance(address, IPv4Address) else IPV6_NETWORK_BITS
    return str(ipaddress.ip_network((address, bits), strict=False))
