"""What an operator does by hand: `cas-listings <command>`."""

from cas_listings.commands.reindex import REINDEX

COMMANDS = (REINDEX,)
