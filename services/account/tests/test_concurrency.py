"""Many at once: one profile, no lost change, one effect, nothing recreated."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import uuid4

import httpx
from sqlalchemy import func, select

from cas_account.domain.profile import Identity, UserErased
from cas_account.domain.roles import Role
from cas_account.models import AppliedCompletion, ErasedUser, Profile, RoleDetails, outbox_messages
from cas_account.operations.erasure import begin_erasure
from cas_account.operations.onboarding import Completion, apply_onboarding
from cas_account.operations.own_part import AccountPart
from cas_account.operations.profiles import new_agent_id, welcome
from cas_kit.errors import Unauthenticated

PATH = "/api/account/professional-info"
FIELDS = ("bio", "description", "additional_info", "agency_name", "teaching_experience", "agency_size")


def all_at_once(app, requests):
    """The answers to requests that are under way together."""

    async def send():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://account") as client:
            return await asyncio.gather(*(client.request(**request) for request in requests))

    return asyncio.run(send())


def count(database, table):
    with database.autocommit() as connection:
        return connection.scalar(select(func.count()).select_from(table))


class TestFirstCalls:
    def test_create_one_profile_and_one_template(self, app, database, issuer):
        user_id = uuid4()
        requests = [
            {
                "method": "PATCH",
                "url": PATH,
                "headers": issuer.bearer(user_id, session_id=str(n)),
                "json": {"role_type": "tutor", name: name},
            }
            for n, name in enumerate(FIELDS)
        ]
        answers = all_at_once(app, requests)
        assert {answer.status_code for answer in answers} == {200}
        assert (count(database, Profile), count(database, RoleDetails)) == (1, 1)
        versions = sorted(answer.json()["data"]["version"] for answer in answers)
        assert versions == list(range(1, len(FIELDS) + 1))
        final = max((answer.json()["data"] for answer in answers), key=lambda data: data["version"])
        assert {name: final[name] for name in FIELDS} == {name: name for name in FIELDS}


class TestOneVersion:
    def test_is_written_by_one_of_many(self, app, database, issuer, user_id):
        headers = {**issuer.bearer(user_id), "If-Match": '"1"'}
        requests = [
            {"method": "PATCH", "url": "/api/profile", "headers": headers, "json": {"bio": f"number {n}"}}
            for n in range(8)
        ]
        statuses = sorted(answer.status_code for answer in all_at_once(app, requests))
        assert statuses == [200] + [412] * 7


class TestWritersWhoReadFirst:
    SUBJECTS = ("Mathematics", "Physics", "Chemistry", "Biology", "French", "Music")

    def test_lose_no_update_when_each_tries_again_until_its_version_holds(self, client, issuer, user_id):
        client.headers.update(issuer.bearer(user_id))
        client.patch(PATH, json={"role_type": "tutor", "bio": "begun"})

        def add(subject):
            while True:
                seen = client.get(PATH, params={"role_type": "tutor"})
                answer = client.patch(
                    PATH,
                    json={"role_type": "tutor", "subjects": [*seen.json()["subjects"], subject]},
                    headers={"If-Match": seen.headers["ETag"]},
                )
                if answer.status_code != 412:
                    return answer

        answers = in_threads(*(partial(add, subject) for subject in self.SUBJECTS))
        assert {answer.status_code for answer in answers} == {200}
        template = client.get(PATH, params={"role_type": "tutor"}).json()
        assert sorted(template["subjects"]) == sorted(self.SUBJECTS)
        assert template["version"] == 1 + len(self.SUBJECTS)

    def test_of_two_who_replace_the_same_version_one_wins(self, app, issuer, user_id, database):
        headers = issuer.bearer(user_id)
        all_at_once(
            app, [{"method": "POST", "url": PATH, "headers": headers, "json": {"role_type": "agent"}}]
        )
        requests = [
            {
                "method": "POST",
                "url": PATH,
                "headers": {**headers, "If-Match": '"1"'},
                "json": {"role_type": "agent", "agency_name": name},
            }
            for name in ("Ada & Co", "Grace & Co")
        ]
        answers = all_at_once(app, requests)
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        refused = next(answer for answer in answers if answer.status_code == 412)
        assert (refused.headers["ETag"], refused.json()["version"]) == ('"2"', 2)


class TestOneKey:
    def test_has_one_effect(self, app, database, issuer, user_id):
        headers = {**issuer.bearer(user_id), "Idempotency-Key": "same"}
        requests = [
            {"method": "POST", "url": PATH, "headers": headers, "json": {"role_type": "tutor", "bio": "x"}}
            for _ in range(6)
        ]
        answers = all_at_once(app, requests)
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
        assert count(database, RoleDetails) == 1


def in_threads(*work):
    with ThreadPoolExecutor(len(work)) as threads:
        return [future.result() for future in [threads.submit(each) for each in work]]


class TestOnboarding:
    def test_delivered_many_times_at_once_takes_effect_once(self, database, user_id, now):
        completion = Completion(uuid4(), user_id, Role.TUTOR, {"bio": "x"}, "", now)

        def deliver():
            with database.transaction() as session:
                return apply_onboarding(session, completion=completion, now=now)

        applied = in_threads(*[deliver] * 6)
        assert [each.roles for each in applied] == [("tutor",)] * 6
        assert sum(each.message_id is not None for each in applied) == 1
        for table in (AppliedCompletion, RoleDetails, outbox_messages):
            assert count(database, table) == 1


class TestErasure:
    def test_wins_against_calls_that_would_create_the_user_again(self, database, limiter, storage, now):
        for _ in range(10):
            user_id = uuid4()
            identity = Identity(user_id=user_id, email="a@example.com", email_verified=False, display_name="")

            def call(identity=identity):
                try:
                    with database.transaction() as session:
                        welcome(session, identity=identity, agent_id=new_agent_id(), now=now)
                except Unauthenticated:
                    pass

            def complete(user_id=user_id):
                completion = Completion(uuid4(), user_id, Role.TUTOR, {"bio": "x"}, "", now)
                try:
                    with database.transaction() as session:
                        apply_onboarding(session, completion=completion, now=now)
                except UserErased:
                    pass

            def erase(user_id=user_id):
                with database.transaction() as session:
                    begin_erasure(session, user_id=user_id, parts=["account"], now=now)
                AccountPart(database, limiter, storage).erase_user(user_id)

            in_threads(call, erase, complete, call)
            assert count(database, Profile) == count(database, RoleDetails) == 0
        assert count(database, ErasedUser) == 10
