"""Plumbing the CAS services share."""
