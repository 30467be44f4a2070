"""The REST edge: the Supabase Auth protocol under /auth/v1 (docs/spec/auth-protocol.md)."""

PREFIX = "/auth/v1"
BODY_LIMIT = 1024 * 1024
