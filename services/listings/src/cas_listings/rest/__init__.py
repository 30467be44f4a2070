"""The REST edge of the listings service."""

from cas_listings.rest import listings, transitions

ROUTERS = (listings.routes, transitions.routes)
