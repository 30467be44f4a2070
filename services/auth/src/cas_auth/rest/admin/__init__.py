"""What administrators may do; every endpoint here takes `AdminDep`."""

from cas_auth.rest import PREFIX

ADMIN_PREFIX = f"{PREFIX}/admin"
