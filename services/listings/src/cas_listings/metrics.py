"""What this service counts beside what every service does (cas_kit.telemetry)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

SEARCHES = Counter("cas_searches_total", "Searches answered.", ["result"])
SEARCH_SECONDS = Histogram(
    "cas_search_seconds",
    "Time the database took for a search or suggestions.",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2),
)
SEARCH_DRIFT = Gauge(
    "cas_search_drift", "Listings whose row in the search index is missing, old or left over.", ["kind"]
)
IMAGES_PENDING = Gauge("cas_images_pending", "Pictures that are not processed yet.")
IMAGE_AGE = Gauge("cas_image_age_seconds", "Age of the oldest picture that is not processed yet.")


@contextmanager
def timed(kind: str) -> Iterator[None]:
    """Observe how long the block takes."""
    began = time.perf_counter()
    try:
        yield
    finally:
        SEARCH_SECONDS.labels(kind).observe(time.perf_counter() - began)
