"""Judge passwords: new ones, and those people already have."""

from collections.abc import Sequence

from cas_auth.credentials.common_passwords import is_common
from cas_auth.domain.passwords import Flaw, PasswordRules, check_size
from cas_auth.domain.refusals import WeakPassword
from cas_auth.operations.tools import Tools


def check_new_password(tools: Tools, password: str) -> None:
    """Refuse a password nobody should choose. May ask a breach service: never inside a transaction.

    :raises InvalidRequest: it is longer than `PASSWORD_MAX_BYTES`.
    :raises WeakPassword: it is too short, lacks required characters, or others have used it too often.
    """
    check_size(password)
    if flaws := find_flaws(tools, password):
        raise WeakPassword(_rules(tools).advice(flaws), reasons=flaws)


def find_flaws(tools: Tools, password: str) -> Sequence[Flaw]:
    """Why this password should be another one. May ask a breach service: never inside a transaction."""
    known = (Flaw.PWNED,) if _is_known(tools, password) else ()
    return (*_rules(tools).flaws(password), *known)


def _is_known(tools: Tools, password: str) -> bool:
    if tools.settings.refuse_common_passwords and is_common(password):
        return True
    return tools.pwned_passwords is not None and tools.pwned_passwords.contain(password)


def _rules(tools: Tools) -> PasswordRules:
    settings = tools.settings
    return PasswordRules(settings.password_min_length, settings.password_required_characters)
