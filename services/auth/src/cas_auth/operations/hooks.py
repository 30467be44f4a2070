"""Ask the operator before somebody is added. Never inside a transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cas_auth.domain.accounts import TOKEN_ROLE, email_app_metadata
from cas_auth.domain.audit import Origin
from cas_auth.operations.tools import Tools


def allow_user(
    tools: Tools,
    *,
    email: str = "",
    app_metadata: Mapping[str, Any] | None = None,
    user_metadata: Mapping[str, Any],
    origin: Origin,
    now: datetime,
) -> None:
    """Let the operator refuse somebody who is about to be added.

    :param email: empty for somebody who signs up anonymously.
    :param app_metadata: how they sign in; by e-mail when None.
    :raises HookRefused: the operator does not want them, and says why.
    :raises DomainError: the hook is broken or does not answer in time.
    """
    hook = tools.before_user_created
    if hook is None:
        return
    user = {
        "id": str(tools.new_id()),
        "aud": tools.settings.audience,
        "role": TOKEN_ROLE,
        "email": email,
        "phone": "",
        "app_metadata": dict(email_app_metadata() if app_metadata is None else app_metadata),
        "user_metadata": dict(user_metadata),
        "identities": [],
        "created_at": now.isoformat(),
        "updated_at": now.isoformat(),
        "is_anonymous": not email,
    }
    metadata = {
        "uuid": str(tools.new_id()),
        "time": now.isoformat(),
        "name": "before-user-created",
        "ip_address": origin.ip or "",
    }
    hook.call({"metadata": metadata, "user": user})
