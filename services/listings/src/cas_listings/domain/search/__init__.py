"""The rules of searching listings (docs/spec/domain.md 7.1-7.4)."""
