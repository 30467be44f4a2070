"""Everything the account service can do, whoever asks."""
