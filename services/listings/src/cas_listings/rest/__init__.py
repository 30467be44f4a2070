"""The REST edge of the listings service."""

from cas_listings.rest import from_template, listings, mine, search, sentences, transitions, visits

# Fixed paths first: `mine` and `search` are no ids.
ROUTERS = (
    search.routes,
    sentences.routes,
    mine.routes,
    from_template.routes,
    listings.routes,
    transitions.routes,
    visits.routes,
)
