"""Second factors: enrolled, proven, asked for and taken off."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pyotp
import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.credentials.totp import TotpSecrets, qr_code
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.factors import (
    CHALLENGE_LIFETIME,
    ENROLMENT_LIFETIME,
    MAX_CODE_ATTEMPTS,
    MAX_FACTORS,
    MAX_OPEN_CHALLENGES,
    AnonymousNotAllowed,
    ChallengedElsewhere,
    ChallengeExpired,
    FactorNameConflict,
    FactorNotFound,
    FactorUnreadable,
    FactorVerificationFailed,
    SecondFactorRequiredToEnroll,
    SecondFactorRequiredToUnenroll,
    TooManyFactors,
    TotpEnrolmentDisabled,
    TotpVerificationDisabled,
)
from cas_auth.domain.mails import MailKind
from cas_auth.domain.refusals import (
    InvalidRequest,
    RefreshTokenAlreadyUsed,
    RefreshTokenNotFound,
    SecondFactorRequired,
    SessionNotFound,
)
from cas_auth.domain.sessions import LogoutScope
from cas_auth.models import Factor, FactorChallenge, Mail, UserSession
from cas_auth.operations import factors
from cas_auth.operations.housekeeping import forget_stale
from cas_kit.errors import RateLimited

STEP = timedelta(seconds=30)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


class Phone:
    """Somebody's authenticator app, and what they do with it on one device."""

    def __init__(self, desk, grant, *, name=None):
        self.desk = desk
        self.grant = grant
        self.enrolment = factors_of(desk, grant, "enroll_totp", friendly_name=name, issuer=None)
        self.id = self.enrolment.factor.id

    def code(self, now=None):
        return pyotp.TOTP(self.enrolment.secret).at(now or self.desk.now)

    def on(self, desk, grant):
        """The same app, and its owner at another time or device."""
        other = object.__new__(Phone)
        other.__dict__ = {**self.__dict__, "desk": desk, "grant": grant}
        return other

    def challenge(self):
        return factors_of(self.desk, self.grant, "challenge_factor", factor_id=self.id)

    def verify(self, code=None, challenge=None):
        return factors_of(
            self.desk,
            self.grant,
            "verify_factor",
            factor_id=self.id,
            challenge_id=(challenge or self.challenge()).id,
            code=self.code() if code is None else code,
        )

    def unenroll(self):
        factors_of(self.desk, self.grant, "unenroll_factor", factor_id=self.id)


def factors_of(desk, grant, operation, **arguments):
    return desk.run(
        getattr(factors, operation), user_id=grant.user.id, session_id=grant.session.id, **arguments
    )


def wrong(code):
    return f"{(int(code) + 1) % 10**6:06}"


def stored(database, model):
    with database.transaction() as session:
        return list(session.scalars(select(model)))


@pytest.fixture
def enroll(desk, ada):
    return lambda grant=ada, **fields: Phone(desk, grant, **fields)


@pytest.fixture
def phone(enroll):
    """Ada's app, proven just now by `phone.proven`."""
    enrolled = enroll()
    enrolled.proven = enrolled.verify()
    return enrolled


class TestEnroll:
    def test_gives_the_secret_once_and_stores_it_sealed(self, desk, enroll, database, audit):
        phone = enroll(name="My phone")
        [factor] = stored(database, Factor)
        assert (factor.id, factor.friendly_name, factor.status) == (phone.id, "My phone", "unverified")
        assert phone.enrolment.secret.encode() not in factor.sealed_secret
        assert audit()[-1].action is AuditAction.FACTOR_IN_PROGRESS
        assert audit()[-1].traits == {"factor_id": str(phone.id), "factor_type": "totp"}

    def test_names_the_account_and_the_issuer(self, desk, ada):
        def read(issuer):
            enrolled = factors_of(desk, ada, "enroll_totp", friendly_name=None, issuer=issuer)
            app = pyotp.parse_uri(enrolled.uri)
            assert (app.secret, app.digits, app.interval) == (enrolled.secret, 6, 30)
            return app.name, app.issuer

        assert read(None) == ("ada@example.com", "localhost:3000".replace(":", " "))
        assert read("CAS: tutors & more") == ("ada@example.com", "CAS  tutors & more")

    def test_is_shown_on_the_user(self, desk, ada, enroll):
        phone = enroll()
        user = desk.authenticate(ada).user
        assert [factor.id for factor in user.factors] == [phone.id]
        assert not user.has_second_factor

    def test_refuses_a_name_that_is_taken(self, phone, enroll, desk):
        enroll(phone.proven, name="Tablet").on(desk.at(desk.now + STEP), phone.proven).verify()
        with pytest.raises(FactorNameConflict):
            enroll(phone.proven, name=" Tablet ")

    def test_starts_over_under_the_name_of_one_that_was_given_up(self, enroll, database):
        enroll(name="My phone")
        again = enroll(name="My phone")
        assert [factor.id for factor in stored(database, Factor)] == [again.id]

    def test_cleans_up_what_was_given_up(self, desk, enroll, ada, database):
        enroll(name="first")
        Phone(desk.at(desk.now + ENROLMENT_LIFETIME), ada, name="second")
        late = Phone(desk.at(desk.now + ENROLMENT_LIFETIME + SECOND), ada, name="third")
        names = {factor.friendly_name for factor in stored(database, Factor)}
        assert names == {"second", "third"}
        assert late.verify()

    def test_takes_ten(self, enroll, ada):
        for number in range(MAX_FACTORS):
            enroll(name=f"phone {number}")
        with pytest.raises(TooManyFactors):
            enroll(name="one more")

    def test_demands_the_second_factor_of_who_has_one(self, desk, phone, enroll):
        with pytest.raises(SecondFactorRequiredToEnroll):
            enroll(desk.sign_in())
        assert enroll(phone.proven)

    def test_refuses_an_anonymous_user(self, desk, ada, enroll):
        desk.change(ada, is_anonymous=True)
        with pytest.raises(AnonymousNotAllowed):
            enroll()

    @pytest.mark.parametrize("fields", [{"friendly_name": "x" * 101}, {"issuer": "x" * 65}])
    def test_refuses_a_name_that_is_too_long(self, desk, ada, fields):
        with pytest.raises(InvalidRequest):
            factors_of(desk, ada, "enroll_totp", **{"friendly_name": None, "issuer": None, **fields})

    def test_can_be_switched_off(self, desk, ada, auth_settings):
        with pytest.raises(TotpEnrolmentDisabled):
            Phone(desk.with_settings(auth_settings(mfa_totp_enroll_enabled=False)), ada)

    def test_draws_the_longest_text_there_can_be(self, desk):
        secret = desk.tools.totp.make(uuid4())
        longest = secret.uri(account=f"{'ä' * 32}@{'ä' * 120}.com", issuer="😀" * 64)
        assert qr_code(longest).startswith("<svg ")

    def test_draws_what_a_data_address_can_hold(self, enroll):
        assert not set("#%") & set(qr_code(enroll().enrolment.uri))


class TestChallenge:
    def test_lasts_five_minutes(self, desk, enroll, audit):
        challenge = enroll().challenge()
        assert challenge.expires_at == desk.now + timedelta(minutes=5)
        assert audit()[-1].action is AuditAction.CHALLENGE_CREATED

    def test_is_remembered_on_the_factor(self, desk, enroll, database):
        enroll().challenge()
        assert stored(database, Factor)[0].last_challenged_at == desk.now

    def test_needs_a_factor_of_ones_own(self, desk, enroll):
        phone = enroll()
        with pytest.raises(FactorNotFound):
            phone.on(desk, desk.sign_up("eve@example.com")).challenge()

    def test_is_not_given_without_end(self, desk, ada, enroll, database):
        phone = enroll()
        for _ in range(MAX_OPEN_CHALLENGES):
            phone.challenge()
        with pytest.raises(RateLimited):
            phone.challenge()
        assert phone.on(desk.at(desk.now + CHALLENGE_LIFETIME + SECOND), ada).challenge()
        assert len(stored(database, FactorChallenge)) == 1

    def test_can_be_switched_off(self, desk, ada, enroll, auth_settings):
        phone = enroll().on(desk.with_settings(auth_settings(mfa_totp_verify_enabled=False)), ada)
        with pytest.raises(TotpVerificationDisabled):
            phone.challenge()


class TestVerify:
    def test_raises_the_session(self, desk, ada, phone):
        issued = int(desk.now.timestamp())
        assert phone.proven.session.id == ada.session.id
        assert (phone.proven.claims["aal"], phone.proven.claims["amr"]) == (
            "aal2",
            [{"method": "totp", "timestamp": issued}, {"method": "password", "timestamp": issued}],
        )
        assert [factor.status for factor in phone.proven.user.factors] == ["verified"]

    def test_is_kept_by_refreshing(self, desk, phone):
        renewed = desk.refresh(phone.proven.refresh_token)
        assert (renewed.claims["aal"], renewed.claims["amr"]) == (
            phone.proven.claims["aal"],
            phone.proven.claims["amr"],
        )

    def test_names_the_newest_proof_once(self, desk, phone):
        later = desk.at(desk.now + STEP)
        again = phone.on(later, phone.proven).verify()
        assert [entry["method"] for entry in again.claims["amr"]] == ["totp", "password"]
        assert again.claims["amr"][0]["timestamp"] == int(later.now.timestamp())

    def test_raises_the_counter_by_two(self, phone):
        assert phone.proven.session.refresh_counter == 2

    def test_spends_the_refresh_token_from_before(self, desk, ada, phone):
        with pytest.raises(RefreshTokenAlreadyUsed):
            desk.refresh(ada.refresh_token)
        assert desk.at(desk.now + SECOND).refresh(phone.proven.refresh_token).rotated

    def test_takes_the_refresh_token_from_before_for_stolen_later(self, desk, ada, phone, database):
        with pytest.raises(RefreshTokenAlreadyUsed):
            desk.at(desk.now + 11 * SECOND).refresh(ada.refresh_token)
        assert stored(database, UserSession) == []

    def test_ends_sessions_that_are_less_proven(self, desk, ada, enroll):
        eve = desk.sign_up("eve@example.com")
        other = desk.sign_in()
        proven = enroll().verify()
        with pytest.raises(RefreshTokenNotFound):
            desk.refresh(other.refresh_token)
        assert desk.refresh(proven.refresh_token)
        assert desk.refresh(eve.refresh_token)

    def test_leaves_sessions_that_are_as_proven(self, desk, phone):
        later = desk.at(desk.now + STEP)
        other = phone.on(later, later.sign_in()).verify()
        assert desk.refresh(phone.proven.refresh_token)
        assert desk.refresh(other.refresh_token)

    def test_cleans_up_what_was_never_proven(self, enroll, database):
        enroll(name="other")
        phone = enroll(name="phone")
        assert [factor.id for factor in phone.verify().user.factors] == [phone.id]
        assert [factor.id for factor in stored(database, Factor)] == [phone.id]

    def test_tells_the_owner_of_a_new_factor_once(self, desk, phone, database):
        phone.on(desk.at(desk.now + STEP), phone.proven).verify()
        assert [(mail.kind, mail.address) for mail in stored(database, Mail)] == [
            (MailKind.FACTOR_ENROLLED, "ada@example.com")
        ]

    def test_is_on_record(self, phone, audit):
        recorded = {entry.action: entry for entry in audit()}
        assert AuditAction.FACTOR_UPDATED in recorded
        attempt = recorded[AuditAction.VERIFICATION_ATTEMPTED]
        assert attempt.traits == {"factor_id": str(phone.id), "factor_type": "totp", "succeeded": True}

    @pytest.mark.parametrize("steps", [-1, 0, 1])
    def test_takes_the_codes_around_now(self, desk, enroll, steps):
        phone = enroll()
        assert phone.verify(phone.code(desk.now + steps * STEP))

    @pytest.mark.parametrize("steps", [-2, 2])
    def test_refuses_codes_of_other_times(self, desk, enroll, steps):
        phone = enroll()
        with pytest.raises(FactorVerificationFailed):
            phone.verify(phone.code(desk.now + steps * STEP))

    def test_takes_a_code_as_people_type_it(self, enroll):
        phone = enroll()
        assert phone.verify(f" {phone.code()[:3]} {phone.code()[3:]} ")

    @pytest.mark.parametrize(
        "code", ["", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "9" * 100_000]
    )
    def test_refuses_what_is_no_code(self, enroll, code):
        with pytest.raises(FactorVerificationFailed):
            enroll().verify(code)

    def test_says_so_when_the_encryption_key_is_another_one(self, desk, enroll, database):
        phone = enroll()
        other = TotpSecrets(EncryptionKey(SecretStr("A" * 43 + "=")))
        with database.transaction() as session:
            session.execute(update(Factor).values(sealed_secret=other.make(phone.id).sealed))
        with pytest.raises(FactorUnreadable):
            phone.verify()

    def test_takes_a_code_once(self, desk, phone):
        challenge = phone.challenge()
        for code in (phone.code(), phone.code(desk.now - STEP)):
            with pytest.raises(FactorVerificationFailed):
                phone.verify(code, challenge)
        assert phone.verify(phone.code(desk.now + STEP), challenge)

    def test_answers_a_challenge_once(self, desk, enroll):
        phone = enroll()
        challenge = phone.challenge()
        phone.verify(challenge=challenge)
        with pytest.raises(ChallengeExpired):
            phone.verify(phone.code(desk.now + STEP), challenge)

    def test_bounds_the_guesses_at_one_challenge(self, enroll, audit):
        phone = enroll()
        challenge = phone.challenge()
        for _ in range(MAX_CODE_ATTEMPTS):
            with pytest.raises(FactorVerificationFailed):
                phone.verify(wrong(phone.code()), challenge)
        with pytest.raises(ChallengeExpired):
            phone.verify(challenge=challenge)
        assert [
            entry.traits["succeeded"]
            for entry in audit()
            if entry.action is AuditAction.VERIFICATION_ATTEMPTED
        ] == [False] * MAX_CODE_ATTEMPTS
        assert phone.verify()

    def test_refuses_a_challenge_that_is_too_old(self, desk, ada, enroll):
        phone = enroll()
        challenge = phone.challenge()
        late = phone.on(desk.at(desk.now + CHALLENGE_LIFETIME + SECOND), ada)
        with pytest.raises(ChallengeExpired):
            late.verify(challenge=challenge)

    def test_refuses_a_challenge_from_elsewhere(self, desk, ada, enroll):
        phone = enroll()
        challenge = phone.challenge()
        for origin in (Origin(request_id="request-2", ip="198.51.100.1"), Origin(request_id="request-3")):
            with pytest.raises(ChallengedElsewhere):
                phone.on(replace(desk, origin=origin), ada).verify(challenge=challenge)
        assert phone.verify(challenge=challenge)

    def test_refuses_the_challenge_of_another_factor(self, enroll):
        first, second = enroll(name="first"), enroll(name="second")
        with pytest.raises(ChallengeExpired):
            second.verify(challenge=first.challenge())

    def test_needs_a_factor_of_ones_own(self, desk, enroll):
        phone = enroll()
        challenge = phone.challenge()
        with pytest.raises(FactorNotFound):
            phone.on(desk, desk.sign_up("eve@example.com")).verify(challenge=challenge)

    def test_needs_a_session(self, desk, ada, enroll):
        phone = enroll()
        challenge = phone.challenge()
        desk.sign_out(ada, LogoutScope.LOCAL)
        with pytest.raises(SessionNotFound):
            phone.verify(challenge=challenge)

    def test_can_be_switched_off(self, desk, ada, enroll, auth_settings):
        phone = enroll()
        challenge = phone.challenge()
        off = desk.with_settings(auth_settings(mfa_totp_verify_enabled=False))
        with pytest.raises(TotpVerificationDisabled):
            phone.on(off, ada).verify(challenge=challenge)


class TestUnenroll:
    def test_takes_the_sessions_back_to_the_first_factor(self, desk, phone, audit, database):
        phone.on(desk, phone.proven).unenroll()
        assert stored(database, Factor) == []
        assert audit()[-1].action is AuditAction.FACTOR_UNENROLLED
        renewed = desk.refresh(phone.proven.refresh_token)
        assert renewed.claims["aal"] == "aal1"
        assert [entry["method"] for entry in renewed.claims["amr"]] == ["password"]
        assert renewed.user.factors == []

    def test_leaves_what_another_factor_proved(self, desk, phone, enroll):
        other = enroll(phone.proven, name="other").on(desk.at(desk.now + STEP), phone.proven).verify()
        phone.on(desk, other).unenroll()
        assert desk.at(desk.now + STEP).refresh(other.refresh_token).claims["aal"] == "aal2"

    def test_tells_the_owner(self, desk, phone, database):
        phone.on(desk, phone.proven).unenroll()
        assert {mail.kind for mail in stored(database, Mail)} == {
            MailKind.FACTOR_ENROLLED,
            MailKind.FACTOR_UNENROLLED,
        }

    def test_demands_the_second_factor(self, desk, phone):
        with pytest.raises(SecondFactorRequiredToUnenroll):
            phone.on(desk, desk.sign_in()).unenroll()

    def test_takes_off_what_was_never_proven(self, enroll, database):
        enroll().unenroll()
        assert stored(database, Factor) == stored(database, Mail) == []

    def test_needs_a_factor_of_ones_own(self, desk, phone):
        with pytest.raises(FactorNotFound):
            phone.on(desk, desk.sign_up("eve@example.com")).unenroll()


class TestHousekeeping:
    def test_forgets_what_was_given_up(self, desk, ada, enroll, database):
        proven = enroll(name="proven").verify()
        enroll(proven, name="given up").challenge()
        for later, left in (
            (CHALLENGE_LIFETIME, (2, 1)),
            (CHALLENGE_LIFETIME + SECOND, (2, 0)),
            (DAY, (2, 0)),
        ):
            with database.transaction() as session:
                forget_stale(session, desk.tools, now=desk.now + later)
            assert (len(stored(database, Factor)), len(stored(database, FactorChallenge))) == left
        with database.transaction() as session:
            forget_stale(session, desk.tools, now=desk.now + DAY + SECOND)
        assert [factor.friendly_name for factor in stored(database, Factor)] == ["proven"]


class TestUpdateUser:
    @pytest.mark.parametrize("change", [{"password": "another password"}, {"email": "eve@example.com"}])
    def test_demands_the_second_factor(self, desk, phone, change):
        with pytest.raises(SecondFactorRequired):
            desk.update(desk.sign_in(), **change)
        assert desk.update(phone.proven, **change)

    def test_does_not_tell_whether_a_password_is_right_without_it(self, desk, phone):
        with pytest.raises(SecondFactorRequired):
            desk.update(desk.sign_in(), password=desk.password)

    def test_changes_metadata_without_it(self, desk, phone):
        grant = desk.sign_in()
        assert desk.update(grant, data={"city": "London"}).user_metadata == {"city": "London"}
