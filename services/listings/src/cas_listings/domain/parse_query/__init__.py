"""Reading what somebody is looking for out of one sentence of theirs (docs/spec/domain.md 7.5); no network."""

from cas_listings.domain.parse_query.query import ParsedQuery, parse_query

__all__ = ["ParsedQuery", "parse_query"]
