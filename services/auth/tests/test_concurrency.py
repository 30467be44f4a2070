"""Many requests at once: real threads, real transactions."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyotp
import pytest
from sqlalchemy import func, select

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.factors import ChallengeExpired, FactorVerificationFailed
from cas_auth.domain.refusals import (
    EmailExists,
    RefreshTokenAlreadyUsed,
    RefreshTokenNotFound,
    UserAlreadyExists,
)
from cas_auth.domain.sessions import LogoutScope
from cas_auth.models import User, UserSession
from cas_auth.operations import factors


def at_once(calls):
    """The results of all calls, started together; an exception is a result."""
    gate = threading.Barrier(len(calls))

    def run(call):
        gate.wait()
        try:
            return call()
        except Exception as error:  # noqa: BLE001  it is the result
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


class TestRefresh:
    def test_one_token_200_times_is_one_rotation(self, patient, ada):
        grants = at_once([lambda: patient.refresh(ada.refresh_token)] * 200)
        assert {grant.refresh_token for grant in grants} == {
            patient.tools.issuer.refresh_tokens.write(
                replace(patient.tools.issuer.refresh_tokens.read(ada.refresh_token), counter=1)
            )
        }
        assert [grant.rotated for grant in grants].count(True) == 1
        with patient.database.transaction() as session:
            assert session.get(UserSession, ada.session.id).refresh_counter == 1
        assert patient.refresh(grants[0].refresh_token).rotated

    def test_200_tabs_do_not_run_out_of_connections(self, auth):
        token = auth.sign_up().json()["refresh_token"]
        answers = at_once([lambda: auth.refresh(token)] * 200)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1

    def test_never_outlives_a_logout(self, patient, ada):
        def refresh():
            return patient.refresh(ada.refresh_token)

        results = at_once([*[refresh] * 20, lambda: patient.sign_out(ada, LogoutScope.GLOBAL)])
        assert {type(result).__name__ for result in results} <= {"Grant", "RefreshTokenNotFound", "NoneType"}
        with pytest.raises(RefreshTokenNotFound):
            refresh()


class TestSignUp:
    def test_one_address_20_times_is_one_user(self, patient, database):
        results = at_once([patient.sign_up] * 20)
        refusals = [result for result in results if isinstance(result, UserAlreadyExists)]
        assert len(refusals) == 19
        with database.transaction() as session:
            assert session.scalar(select(func.count()).select_from(User)) == 1


class TestUpdateUser:
    def test_metadata_of_two_tabs_is_merged(self, patient, ada):
        at_once([lambda key=key: patient.update(ada, data={key: True}) for key in "abcdefgh"])
        assert patient.authenticate(ada).user.user_metadata == dict.fromkeys("abcdefgh", True)

    def test_one_address_goes_to_one_user(self, patient):
        grants = [patient.sign_up(f"user{number}@example.com") for number in range(5)]
        results = at_once(
            [lambda grant=grant: patient.update(grant, email="ada@example.com") for grant in grants]
        )
        assert [type(result) for result in results].count(EmailExists) == 4

    def test_password_change_leaves_one_session(self, patient, ada, database):
        at_once(
            [
                *[patient.sign_in] * 5,
                lambda: patient.update(ada, password="another password"),
            ]
        )
        with database.transaction() as session:
            started_before = session.scalars(select(UserSession.id)).all()
        assert started_before == [ada.session.id]


class App:
    """An authenticator app of Ada's, and what many requests at once do with it."""

    def __init__(self, desk, grant):
        self._desk = desk
        self._who = {"user_id": grant.user.id, "session_id": grant.session.id}
        self._enrolment = desk.run(factors.enroll_totp, **self._who, friendly_name=None, issuer=None)
        self._who["factor_id"] = self._enrolment.factor.id
        self.code = pyotp.TOTP(self._enrolment.secret).at(desk.now)

    def challenge(self):
        return self._desk.run(factors.challenge_factor, **self._who).id

    def verify(self, challenge_id, code):
        return self._desk.run(factors.verify_factor, **self._who, challenge_id=challenge_id, code=code)


class TestVerifyFactor:
    def test_one_code_20_times_is_one_success(self, patient, ada, database):
        app = App(patient, ada)
        challenges = [app.challenge() for _ in range(10)]
        results = at_once([lambda one=one: app.verify(one, app.code) for one in challenges * 2])
        refusals = {type(result) for result in results if not isinstance(result, Grant)}
        assert [isinstance(result, Grant) for result in results].count(True) == 1
        assert refusals <= {ChallengeExpired, FactorVerificationFailed}
        with database.transaction() as session:
            assert session.get(UserSession, ada.session.id).refresh_counter == 2

    def test_guesses_at_once_do_not_beat_the_cap(self, patient, ada):
        app = App(patient, ada)
        challenge = app.challenge()
        wrong = f"{(int(app.code) + 1) % 10**6:06}"
        results = at_once([lambda: app.verify(challenge, wrong)] * 40)
        kinds = [type(result) for result in results]
        assert (kinds.count(FactorVerificationFailed), kinds.count(ChallengeExpired)) == (5, 35)
        with pytest.raises(ChallengeExpired):
            app.verify(challenge, app.code)

    def test_does_not_give_what_it_proves_to_tokens_from_before(self, patient, ada):
        app = App(patient, ada)
        challenge = app.challenge()
        *renewed, proven = at_once(
            [*[lambda: patient.refresh(ada.refresh_token)] * 20, lambda: app.verify(challenge, app.code)]
        )
        assert {result.claims["aal"] for result in renewed if isinstance(result, Grant)} <= {"aal1"}
        assert {type(result) for result in renewed} <= {Grant, RefreshTokenAlreadyUsed}
        assert patient.refresh(proven.refresh_token).claims["aal"] == "aal2"
