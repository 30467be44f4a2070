"""Everything the auth service can do, whoever asks."""
