"""The REST edge of the listings service."""

from cas_listings.rest import from_template, listings, mine, transitions, visits

# Fixed paths first: `mine` is no id.
ROUTERS = (mine.routes, from_template.routes, listings.routes, transitions.routes, visits.routes)
