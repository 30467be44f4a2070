"""What the command line of this service can do beside serving: a module for each family of words."""

from cas_auth.commands import audit, importing, keys, mails, tokens

COMMANDS = (tokens.SERVICE_TOKEN, audit.AUDIT, importing.IMPORT, keys.KEYS, mails.RETRY_MAILS)
