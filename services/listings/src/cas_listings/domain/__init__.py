"""The rules of listings; no I/O, no framework."""
