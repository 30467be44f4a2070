"""What the command line of this service can do beside serving: a module for each family of words."""

from cas_auth.commands import audit, keys, mails, tokens

COMMANDS = (tokens.SERVICE_TOKEN, audit.AUDIT, keys.KEYS, mails.RETRY_MAILS)
