"""The REST edge of the listings service."""

from cas_kit.media import media_router
from cas_listings.domain.images import PUBLIC_AREA
from cas_listings.rest import (
    from_template,
    images,
    listings,
    mine,
    private_files,
    search,
    sentences,
    transitions,
    visits,
)

# Fixed paths first: `mine` and `search` are no ids.
ROUTERS = (
    search.routes,
    sentences.routes,
    mine.routes,
    from_template.routes,
    listings.routes,
    transitions.routes,
    visits.routes,
    images.uploads,
    images.routes,
    private_files.routes,
    media_router(PUBLIC_AREA),
)
