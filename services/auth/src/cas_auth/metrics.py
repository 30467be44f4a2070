"""What this service counts beside what every service does (cas_kit.telemetry)."""

from prometheus_client import Counter

PWNED_PASSWORD_LOOKUPS = Counter(
    "cas_pwned_password_lookups_total", "Passwords looked up in a breach service.", ["result"]
)
