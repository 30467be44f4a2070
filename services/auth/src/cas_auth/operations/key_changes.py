"""Change the keys that sign access tokens while they are in use (docs/runbooks/rotate-signing-keys.md).

Every change is one transaction under one lock; running replicas take it over a few seconds later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cas_auth.credentials.keys import SigningKey
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.keys import PUBLISHED_AHEAD, KeyState
from cas_auth.domain.refusals import CurrentKeyInUse, KeyAlreadyKnown, SecretAlreadyKnown, StandbyKeyTooYoung
from cas_auth.models import StoredSigningKey
from cas_auth.operations.signing_keys import stored
from cas_auth.operations.tools import Tools
from cas_auth.repository import signing_keys
from cas_auth.repository.audit_log import add_audit_entry
from cas_kit.db import Database
from cas_kit.issuers import Algorithm


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did, by key id."""

    current: str
    previous: str
    standby: str
    dropped: Sequence[str]


def list_signing_keys(database: Database) -> Sequence[StoredSigningKey]:
    """All keys, oldest first."""
    with database.transaction() as session:
        return signing_keys.list_signing_keys(session)


def rotate_signing_keys(
    database: Database,
    tools: Tools,
    *,
    algorithm: Algorithm | None,
    published_for: timedelta = PUBLISHED_AHEAD,
    origin: Origin,
    now: datetime,
) -> Rotation:
    """Sign with the standby key from now on; make the next standby; drop keys whose last token has expired.

    :param algorithm: of the new standby key; that of the one before when None.
    :param published_for: how long the standby key must have been published at least.
    :raises StandbyKeyTooYoung: it was published too short a while ago.
    """
    with database.transaction() as session:
        signing_keys.lock_signing_keys(session)
        keys = signing_keys.list_signing_keys(session)
        current, standby = (_only(keys, state) for state in (KeyState.CURRENT, KeyState.STANDBY))
        if (ripe_at := standby.state_since + published_for) > now:
            raise StandbyKeyTooYoung(ripe_at)
        dropped = _drop_spent(session, keys, token_lifetime=tools.settings.access_token_lifetime, now=now)
        current.turn(KeyState.PREVIOUS, now=now)
        session.flush()
        standby.turn(KeyState.CURRENT, now=now)
        following = _add_standby(session, tools, algorithm or standby.algorithm, now=now)
        rotation = Rotation(standby.kid, current.kid, following.kid, dropped)
        _record(session, "rotated", kid=standby.kid, origin=origin, now=now)
    return rotation


def import_signing_key(
    database: Database, tools: Tools, *, key: SigningKey, origin: Origin, now: datetime
) -> None:
    """Use a key that was made elsewhere in the state it names; the one that was in this state makes room.

    :raises KeyAlreadyKnown: there is a key of this id.
    :raises SecretAlreadyKnown: it is a second secret, and tokens do not say of which they are.
    """
    with database.transaction() as session:
        signing_keys.lock_signing_keys(session)
        keys = signing_keys.list_signing_keys(session)
        if key.kid in {known.kid for known in keys}:
            raise KeyAlreadyKnown(key.kid)
        if key.algorithm is Algorithm.HS256 and Algorithm.HS256 in {known.algorithm for known in keys}:
            raise SecretAlreadyKnown
        if key.state is KeyState.CURRENT:
            _only(keys, KeyState.CURRENT).turn(KeyState.PREVIOUS, now=now)
        elif key.state is KeyState.STANDBY:
            signing_keys.delete_signing_keys(session, kids=[_only(keys, KeyState.STANDBY).kid])
        signing_keys.add_signing_key(session, stored(key, tools.encryption_key, now=now))
        _record(session, "imported", kid=key.kid, origin=origin, now=now)


def revoke_signing_key(database: Database, tools: Tools, *, kid: str, origin: Origin, now: datetime) -> None:
    """Let what this key signed be good no longer; a standby key is replaced.

    :raises SigningKeyNotFound: there is none of this id.
    :raises CurrentKeyInUse: it signs.
    """
    with database.transaction() as session:
        signing_keys.lock_signing_keys(session)
        found = signing_keys.get_signing_key(session, kid=kid)
        if found.state is KeyState.CURRENT:
            raise CurrentKeyInUse
        signing_keys.delete_signing_keys(session, kids=[kid])
        if found.state is KeyState.STANDBY:
            _add_standby(session, tools, Algorithm.ES256, now=now)
        _record(session, "revoked", kid=kid, origin=origin, now=now)


def _only(keys: Sequence[StoredSigningKey], state: KeyState) -> StoredSigningKey:
    """The key of a state that has exactly one, as `load_signing_keys` sees to."""
    [found] = [key for key in keys if key.state is state]
    return found


def _drop_spent(
    session: Session, keys: Sequence[StoredSigningKey], *, token_lifetime: timedelta, now: datetime
) -> Sequence[str]:
    spent = tuple(key.kid for key in keys if key.may_be_dropped(token_lifetime=token_lifetime, now=now))
    signing_keys.delete_signing_keys(session, kids=spent)
    return spent


def _add_standby(session: Session, tools: Tools, algorithm: Algorithm, *, now: datetime) -> StoredSigningKey:
    key = stored(SigningKey.generate(algorithm, state=KeyState.STANDBY), tools.encryption_key, now=now)
    signing_keys.add_signing_key(session, key)
    return key


def _record(session: Session, change: str, *, kid: str, origin: Origin, now: datetime) -> None:
    traits = {"change": change, "kid": kid}
    add_audit_entry(session, AuditAction.KEYS_ROTATED, actor_id=None, origin=origin, now=now, traits=traits)
