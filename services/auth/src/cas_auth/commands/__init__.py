"""What the command line of this service can do beside serving: a module for each family of words."""

from cas_auth.commands import audit, mails, tokens

COMMANDS = (tokens.SERVICE_TOKEN, audit.AUDIT, mails.RETRY_MAILS)
