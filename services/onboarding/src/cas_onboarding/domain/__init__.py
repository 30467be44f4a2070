"""Rules of onboarding, without I/O (docs/spec/domain.md 5)."""
