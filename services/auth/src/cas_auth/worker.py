"""The worker of the auth service: `cas-auth worker`."""

import argparse
import sys
from typing import Any

from celery import Celery

from cas_auth.credentials.keys import KeyRing
from cas_auth.models import User
from cas_auth.operations.carriers import carrier_of
from cas_auth.operations.tools import Tools
from cas_auth.rest.schemas import UserOut
from cas_auth.settings import Settings
from cas_auth.tasks import mail_task
from cas_kit.db import Database
from cas_kit.pulse import Pulse
from cas_kit.service import Command
from cas_kit.worker import Task, create_celery, run_worker


def build(settings: Settings) -> Celery[Task]:
    """The tasks, connected to nothing yet."""

    def describe(user: User) -> dict[str, Any]:
        return UserOut.of(user, audience=settings.audience).model_dump(mode="json", exclude_none=True)

    carrier = carrier_of(settings, describe=describe)
    if carrier is None:
        sys.exit(
            "cas-auth worker cannot start, it has no way to send mails: set CAS_AUTH_SMTP_HOST and "
            "CAS_AUTH_MAIL_SENDER, or CAS_AUTH_SEND_EMAIL_HOOK_URL and ..._SECRETS."
        )
    database = Database(settings, application_name="cas-auth-worker")
    tools = Tools.of(settings, KeyRing())
    return create_celery(
        service="auth", redis_url=str(settings.redis_url), tasks=[mail_task(database, tools, carrier)]
    )


def _work(settings: Settings, _: argparse.Namespace) -> None:
    run_worker(
        build(settings),
        concurrency=settings.worker_concurrency,
        pulse=Pulse(settings.revocations, of="auth"),
    )


WORKER = Command("worker", "send mails", _work)
