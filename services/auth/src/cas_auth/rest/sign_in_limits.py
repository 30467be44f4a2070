"""How often somebody may guess at a password, without locking its owner out.

Strangers share one allowance for each account, wherever they come from. A network the owner has signed in from has an
allowance of its own, which no stranger elsewhere can use up. Whoever is the owner, elsewhere, during an attack, still
gets in by mail. Every attempt is counted before its password is looked at, so that parallel guesses gain nothing.
"""

from datetime import UTC, datetime

from cas_auth.domain.accounts import account_name
from cas_auth.domain.audit import Origin
from cas_auth.operations.networks import is_known_network
from cas_auth.rest.requests import AuthDependencies, network_name

_HERE, _STRANGERS = "sign-in-account-network", "sign-in-account-strangers"


def limit_sign_in(dependencies: AuthDependencies, *, origin: Origin, email: str) -> None:
    """Count an attempt to sign in.

    :raises RateLimited: there were too many: from this network, at this account from there, or at it by strangers.
    """
    settings, limiter, account = dependencies.settings, dependencies.limiter, account_name(email)
    limiter.hit(settings.sign_in_limit_per_ip, "sign-in-ip", network_name(origin))
    limiter.hit(settings.sign_in_limit_per_account_and_network, _HERE, account, origin.network or "unknown")
    known = is_known_network(dependencies.database, email=email, origin=origin, now=datetime.now(UTC))
    if not known:
        limiter.hit(settings.sign_in_limit_per_account_for_strangers, _STRANGERS, account)


def forgive_sign_ins(dependencies: AuthDependencies, *, origin: Origin, email: str) -> None:
    """Forget the attempts from this network: its last one was the owner's."""
    limit = dependencies.settings.sign_in_limit_per_account_and_network
    dependencies.limiter.forgive(limit, _HERE, account_name(email), origin.network or "unknown")
