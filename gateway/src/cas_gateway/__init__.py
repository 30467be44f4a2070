"""The gateway: kong.yml and what is made of it."""
