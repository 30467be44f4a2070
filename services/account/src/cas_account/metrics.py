"""What the account service measures beside what all services do."""

from prometheus_client import Gauge

ERASURE_AGE = Gauge("cas_erasure_age_seconds", "How long the oldest unfinished erasure has taken; 0: none.")
ERASURES_PARKED = Gauge(
    "cas_erasures_parked", "Steps of erasures that were given up and wait for a person (docs/runbooks)."
)
