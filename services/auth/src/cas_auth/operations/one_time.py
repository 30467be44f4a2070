"""One-time tokens: made for a mail or a generated link, redeemed by whoever can read it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.credentials.one_time import OneTimeSecret, digest
from cas_auth.domain.one_time_tokens import TokenKind
from cas_auth.models import OneTimeToken, User
from cas_auth.operations.tools import Tools
from cas_auth.repository.one_time_tokens import (
    count_attempt,
    delete_token,
    find_token_by_link,
    list_tokens_of_address,
    list_tokens_of_user,
    replace_token,
)
from cas_auth.repository.users import lock_user


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a one-time token proved: that its bearer reads the mail of `address`, which is, or will be, the user's."""

    user: User
    kind: TokenKind
    address: str
    flow_id: UUID | None


def make_token(
    session: Session,
    tools: Tools,
    user: User,
    kind: TokenKind,
    *,
    address: str,
    flow_id: UUID | None = None,
    now: datetime,
) -> OneTimeSecret:
    """The secrets of a new token of a user locked by this transaction; their earlier one of the kind is worthless.

    :param address: where the secrets are sent, which is what they prove.
    :param flow_id: the PKCE flow that the link continues.
    """
    token_id = tools.new_id()
    secret = tools.one_time.make(token_id, pkce=flow_id is not None)
    replace_token(
        session,
        OneTimeToken(
            id=token_id,
            user_id=user.id,
            kind=kind,
            address=address,
            link_digest=secret.link_digest,
            code_digest=secret.code_digest,
            attempts=0,
            flow_id=flow_id,
            created_at=now,
        ),
    )
    return secret


def redeem_link(
    session: Session, tools: Tools, *, link: str, kinds: Collection[TokenKind], now: datetime
) -> Redeemed | None:
    """What a link proves, its user locked; None when it is worth nothing. The token is spent with this transaction."""
    found = find_token_by_link(session, digest=digest(link), kinds=kinds)
    return _spend(session, tools, [found] if found else [], code=None, now=now)


def redeem_code(
    session: Session,
    tools: Tools,
    *,
    address: str,
    code: str,
    kinds: Collection[TokenKind],
    now: datetime,
) -> Redeemed | None:
    """What a code that was mailed to `address` proves, its user locked; None when it is worth nothing.

    A wrong code is counted with this transaction; after five a token's code is worthless and only its link works.
    """
    found = list_tokens_of_address(session, address=address, kinds=kinds)
    return _spend(session, tools, found, code=code, now=now)


def redeem_users_code(
    session: Session, tools: Tools, user: User, *, code: str, kind: TokenKind, now: datetime
) -> bool:
    """Whether `code` is good for a user locked by this transaction; as `redeem_code` otherwise."""
    found = list_tokens_of_user(session, user_id=user.id, kinds={kind})
    return _spend(session, tools, found, code=code, now=now) is not None


def _spend(
    session: Session, tools: Tools, found: Collection[OneTimeToken], *, code: str | None, now: datetime
) -> Redeemed | None:
    """Users are locked before their tokens everywhere, so the tokens are read again under the user's lock."""
    for token in found:
        user = lock_user(session, user_id=token.user_id)
        current = list_tokens_of_user(session, user_id=token.user_id, kinds={token.kind})
        if (
            user is None
            or token not in current
            or token.is_expired(now, lifetime=tools.settings.otp_lifetime)
        ):
            continue
        if code is None or _is_right(tools, token, code):
            delete_token(session, token_id=token.id)
            return Redeemed(user, token.kind, token.address, token.flow_id)
        count_attempt(session, token_id=token.id)
    return None


def _is_right(tools: Tools, token: OneTimeToken, code: str) -> bool:
    return token.takes_codes and tools.one_time.is_code(code, token_id=token.id, stored=token.code_digest)
