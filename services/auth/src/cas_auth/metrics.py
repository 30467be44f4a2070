"""What this service counts beside what every service does (cas_kit.telemetry)."""

from prometheus_client import Counter, Gauge

PWNED_PASSWORD_LOOKUPS = Counter(
    "cas_pwned_password_lookups_total", "Passwords looked up in a breach service.", ["result"]
)
MAIL_AGE = Gauge("cas_mail_age_seconds", "Age of the oldest mail that is still tried.")
MAILS_GIVEN_UP = Gauge("cas_mails_given_up", "Mails that were given up and wait for a person.")
