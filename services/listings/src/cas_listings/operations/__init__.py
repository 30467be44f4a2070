"""Everything the listings service can do, whoever asks."""
