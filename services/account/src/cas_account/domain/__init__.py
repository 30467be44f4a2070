"""The rules of profiles, roles and professional info, without any I/O."""
