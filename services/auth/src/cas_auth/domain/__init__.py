"""The rules of signing in; no framework, no I/O (docs/spec/auth-protocol.md)."""
