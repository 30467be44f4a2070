"""What proves an identity: passwords, signing keys, access tokens and refresh tokens."""
