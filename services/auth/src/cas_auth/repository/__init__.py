"""Every SQL statement of the auth service, one module for each table or two."""
