"""Where a request comes from, whatever its sender says."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

from fastapi import Request


def client_ip(request: Request, *, trusted_hops: int) -> str | None:
    """The address our outermost proxy saw; None when it is no IP address.

    Every trusted proxy appends one entry, so what a client writes itself stays further left.
    """
    hops = [hop for header in request.headers.getlist("x-forwarded-for") for hop in header.split(",")]
    if 0 < trusted_hops <= len(hops):
        address = hops[-trusted_hops].strip()
    else:
        address = request.client.host if request.client else ""
    try:
        return str(_plain(ipaddress.ip_address(address)))
    except ValueError:
        return None


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address without the dress of a dual-stack socket: `::ffff:192.0.2.1`, `fe80::1%eth0`."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))
