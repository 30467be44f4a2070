"""What this service asks of others: mail servers and hooks."""
