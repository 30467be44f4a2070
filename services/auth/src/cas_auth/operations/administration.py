"""What administrators do to users. Everything they do is on record, with whom they did it to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.credentials.imported_hashes import check_hash
from cas_auth.domain.accounts import ROLE_MAX_CHARACTERS, canonical_email, canonical_phone
from cas_auth.domain.administration import AdminRefused
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.bans import NO_BAN, ban_length
from cas_auth.domain.factors import FactorNotFound
from cas_auth.domain.refusals import BadJwt, InvalidRequest, UserNotFound
from cas_auth.domain.user_list import UserCursor, UserMatch
from cas_auth.models import Factor, User
from cas_auth.operations.factors import remove_factor
from cas_auth.operations.passwords import check_new_password
from cas_auth.operations.sessions import authenticate_admin
from cas_auth.operations.tools import Tools
from cas_auth.repository.audit_log import add_audit_entry, forget_origins
from cas_auth.repository.erasure import announce_deletion, delete_traces
from cas_auth.repository.erasure import delete_user as delete_all
from cas_auth.repository.one_time_tokens import delete_flows_of_user, delete_proofs
from cas_auth.repository.sessions import end_sessions
from cas_auth.repository.user_list import count_users
from cas_auth.repository.user_list import list_users as find_users
from cas_auth.repository.users import find_user, lock_user, save_user
from cas_kit.db import Database


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something as an administrator, from where, and when; `admin_id` is None for a program."""

    admin_id: UUID | None
    origin: Origin
    now: datetime

    def record(self, session: Session, action: AuditAction, user_id: UUID, **traits: Any) -> None:
        """Put on record, with this transaction, what was done to a user."""
        add_audit_entry(
            session,
            action,
            actor_id=self.admin_id,
            origin=self.origin,
            now=self.now,
            traits={"user_id": str(user_id), **traits},
        )


def authorize_admin(
    session: Session,
    tools: Tools,
    *,
    role: object,
    user_id: UUID | None,
    session_id: UUID | None,
    origin: Origin,
    now: datetime,
) -> None:
    """See to it that a valid token administers users: by its role, and by its session where it has one.

    :raises AdminRefused: its role does not; the attempt is on record.
    :raises BadJwt: it speaks of a user, but of none of their sessions.
    :raises SessionNotFound: its session has ended; or `AdminSessionExpired`, `CallerNotFound`, `UserBanned`.
    """
    if role not in tools.settings.admin_roles:
        add_audit_entry(
            session,
            AuditAction.ADMIN_REFUSED,
            actor_id=user_id,
            session_id=session_id,
            origin=origin,
            now=now,
        )
        raise AdminRefused
    if user_id is None:
        return
    if session_id is None:
        raise BadJwt
    authenticate_admin(session, tools, user_id=user_id, session_id=session_id, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAttributes:
    """What an administrator says of a user; what is None stays as it is.

    :param password_hash: made by another system, instead of a password.
    :param ban_duration: `24h`, or `none` to lift a ban.
    :param user_metadata: laid over what there is, as `app_metadata` is; a null removes its key.
    """

    email: str | None = None
    phone: str | None = None
    password: str | None = None
    password_hash: str | None = None
    email_confirm: bool = False
    phone_confirm: bool = False
    role: str | None = None
    ban_duration: str | None = None
    user_metadata: Mapping[str, Any] | None = None
    app_metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPage:
    """Some users, newest first.

    :param total: how many there are altogether; None where nobody counted.
    :param next_cursor: where the next page begins; None on the last one, and on numbered pages.
    """

    users: Sequence[User]
    total: int | None = None
    next_cursor: UserCursor | None = None


def list_user_page(session: Session, match: UserMatch, *, page: int, per_page: int) -> UserPage:
    """One numbered page, from 1. Users who sign up meanwhile move the others."""
    total = count_users(session, match)
    users = find_users(session, match, limit=per_page, offset=(page - 1) * per_page)
    return UserPage(users=users, total=total)


def list_users_after(
    session: Session, match: UserMatch, *, cursor: UserCursor | None, per_page: int
) -> UserPage:
    """The users after `cursor`; nobody is left out or comes twice, whoever signs up meanwhile."""
    users = find_users(session, match, limit=per_page + 1, after=cursor)
    shown = users[:per_page]
    is_last = len(users) <= per_page
    return UserPage(
        users=shown, next_cursor=None if is_last else UserCursor(shown[-1].created_at, shown[-1].id)
    )


def get_user(session: Session, *, user_id: UUID) -> User:
    """The user of this id, with identities and factors.

    :raises UserNotFound: there is none.
    """
    user = find_user(session, user_id=user_id)
    if user is None:
        raise UserNotFound
    return user


def create_user(
    database: Database, tools: Tools, *, user_id: UUID | None, attributes: UserAttributes, act: Act
) -> User:
    """Add a user. Nobody is mailed.

    :param user_id: None: a new one.
    :raises InvalidRequest: there is neither an address nor a number, or something cannot be accepted.
    :raises WeakPassword: nobody should choose the password.
    :raises EmailExists: the address belongs to somebody else; or `PhoneExists`, `UserIdExists`.
    :raises Unavailable: too many passwords are being hashed.
    """
    if not attributes.email and not attributes.phone:
        raise InvalidRequest("Cannot create a user without either an email or phone")
    checked = _Checked.of(tools, attributes)
    with database.transaction() as session:
        user = User.blank(user_id=user_id or tools.new_id(), now=act.now)
        session.add(user)
        checked.apply(tools, user, now=act.now)
        save_user(session)
        act.record(session, AuditAction.USER_SIGNEDUP, user.id)
    return user


def update_user(
    database: Database, tools: Tools, *, user_id: UUID, attributes: UserAttributes, act: Act
) -> User:
    """Change a user. A ban or a new password ends their sessions; mailed links do not outlive password or address.

    :raises UserNotFound: there is no such user, or nothing but their id was kept.
    :raises InvalidRequest: something cannot be accepted.
    :raises WeakPassword: nobody should choose the password.
    :raises EmailExists: the address belongs to somebody else; or `PhoneExists`.
    :raises Unavailable: too many passwords are being hashed.
    """
    checked = _Checked.of(tools, attributes)
    with database.transaction() as session:
        user = _locked(session, user_id)
        if user.deleted_at is not None:
            raise UserNotFound
        checked.apply(tools, user, now=act.now)
        save_user(session)
        checked.cut_off(session, user)
        if user.is_banned(act.now) and checked.ban:
            act.record(session, AuditAction.USER_BANNED, user.id)
        if checked.password_hash is not None:
            act.record(session, AuditAction.USER_UPDATED_PASSWORD, user.id)
        act.record(session, AuditAction.USER_MODIFIED, user.id)
    return user


def delete_user(session: Session, *, user_id: UUID, keep_id: bool, act: Act) -> None:
    """Forget a user; the audit log keeps what happened to which id, but no longer from where. Safe to repeat.

    :param keep_id: leave a row that says nothing but that there was somebody. Else other services forget them too.
    :raises UserNotFound: there is no such user.
    """
    user = _locked(session, user_id)
    if keep_id:
        delete_traces(session, user)
        user.retire(act.now)
        session.flush()
    else:
        delete_all(session, user)
        announce_deletion(session, user_id=user_id)
    forget_origins(session, actor_id=user_id)
    act.record(session, AuditAction.USER_DELETED, user_id, soft=keep_id)


def delete_factor(session: Session, tools: Tools, *, user_id: UUID, factor_id: UUID, act: Act) -> Factor:
    """Take a second factor off somebody who lost it, and tell them.

    :raises UserNotFound: there is no such user.
    :raises FactorNotFound: they have no such factor.
    """
    user = _locked(session, user_id)
    factor = next((factor for factor in user.factors if factor.id == factor_id), None)
    if factor is None:
        raise FactorNotFound
    remove_factor(session, tools, user, factor, now=act.now)
    act.record(session, AuditAction.FACTOR_DELETED, user_id, factor_id=str(factor_id))
    return factor


def _locked(session: Session, user_id: UUID) -> User:
    user = lock_user(session, user_id=user_id)
    if user is None:
        raise UserNotFound
    return user


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """Attributes that can be stored, as they are stored."""

    attributes: UserAttributes
    email: str | None
    phone: str | None
    password_hash: str | None
    ban: timedelta | None

    @classmethod
    def of(cls, tools: Tools, attributes: UserAttributes) -> "_Checked":
        """What can be stored of these. Hashes, and may ask a breach service: never inside a transaction."""
        said = attributes
        if said.role is not None and not 0 < len(said.role.strip()) <= ROLE_MAX_CHARACTERS:
            raise InvalidRequest(f"role must have 1 to {ROLE_MAX_CHARACTERS} characters")
        return cls(
            attributes=said,
            email=canonical_email(said.email, allow_test_domains=tools.settings.allows_test_domains)
            if said.email
            else None,
            phone=canonical_phone(said.phone) if said.phone else None,
            ban=ban_length(said.ban_duration) if said.ban_duration else None,
            password_hash=_password_hash(tools, said),
        )

    def apply(self, tools: Tools, user: User, *, now: datetime) -> None:
        """Change a user who is new or locked by this transaction."""
        said = self.attributes
        if self.email is not None:
            user.assign_email(self.email, identity_id=tools.new_id(), now=now)
        if self.phone is not None:
            user.assign_phone(self.phone, identity_id=tools.new_id(), now=now)
        if said.app_metadata is not None:
            user.merge_app_metadata(said.app_metadata, now=now)
        if said.user_metadata is not None:
            user.merge_metadata(said.user_metadata, now=now)
        if said.role is not None:
            user.role = said.role.strip()
        if self.password_hash is not None:
            user.change_password(self.password_hash, now=now)
        if self.ban is not None:
            user.ban_until(None if self.ban == NO_BAN else now + self.ban, now=now)
        self._confirm(user, now=now)

    def cut_off(self, session: Session, user: User) -> None:
        """End what must not outlive the old password, the old address or the beginning of a ban."""
        if self.password_hash is not None or self.ban:
            end_sessions(session, user_id=user.id)
            delete_flows_of_user(session, user_id=user.id)
        if self.password_hash is not None or self.email is not None or self.phone is not None:
            delete_proofs(session, user_id=user.id)

    def _confirm(self, user: User, *, now: datetime) -> None:
        said = self.attributes
        if said.email_confirm and user.email is not None:
            user.confirm_email(now=now)
        if said.phone_confirm and user.phone is not None:
            user.confirm_phone(now=now)
        if user.is_anonymous and (said.email_confirm or said.phone_confirm):
            user.is_anonymous = user.email is None and user.phone is None


def _password_hash(tools: Tools, attributes: UserAttributes) -> str | None:
    password, password_hash = attributes.password, attributes.password_hash
    if password and password_hash:
        raise InvalidRequest("Only a password or a password hash should be provided")
    if password_hash:
        check_hash(password_hash)
        return password_hash
    if not password:
        return None
    check_new_password(tools, password)
    return tools.hasher.hash(password)
