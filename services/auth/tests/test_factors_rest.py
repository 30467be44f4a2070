"""Second factors as the protocol's clients see them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import pyotp
import pytest

from cas_auth.domain.factors import MAX_CODE_ATTEMPTS

STEP = timedelta(seconds=30)
FACTOR_KEYS = {"id", "created_at", "updated_at", "status", "friendly_name", "factor_type"}


def refused(answer, status, code, message=None):
    body = answer.json()
    return (answer.status_code, body["code"]) == (status, code) and message in (None, body["message"])


class Device:
    """A signed-in device, and its user's authenticator app."""

    def __init__(self, auth, session):
        self.client = auth.client
        self.session = session
        self.secret = None

    def call(self, method, path, **arguments):
        headers = {"Authorization": f"Bearer {self.session['access_token']}"}
        return self.client.request(method, f"/auth/v1{path}", headers=headers, **arguments)

    def enroll(self, **fields):
        body = {"factor_type": "totp", "friendly_name": "My phone", **fields}
        answer = self.call("POST", "/factors", json=body)
        if answer.status_code == 200:
            self.id, self.secret = answer.json()["id"], answer.json()["totp"]["secret"]
        return answer

    def code(self, *, steps=0):
        return pyotp.TOTP(self.secret).at(datetime.now(UTC) + steps * STEP)

    def challenge(self, factor_id=None):
        factor_id = factor_id or self.id
        return self.call("POST", f"/factors/{factor_id}/challenge", json={"factorId": str(factor_id)})

    def verify(self, code=None, challenge_id=None):
        body = {
            "challenge_id": challenge_id or self.challenge().json()["id"],
            "code": self.code() if code is None else code,
        }
        answer = self.call("POST", f"/factors/{self.id}/verify", json=body)
        if answer.status_code == 200:
            self.session = answer.json()
        return answer

    def unenroll(self):
        return self.call("DELETE", f"/factors/{self.id}")


@pytest.fixture
def device(auth):
    return Device(auth, auth.sign_up().json())


@pytest.fixture
def proven(device):
    device.enroll()
    device.verify()
    return device


class TestEnroll:
    def test_answers_what_an_app_needs(self, device):
        answer = device.enroll()
        assert answer.status_code == 200
        body = answer.json()
        assert set(body) == {"id", "type", "friendly_name", "totp"}
        assert (body["type"], body["friendly_name"]) == ("totp", "My phone")
        assert set(body["totp"]) == {"qr_code", "secret", "uri"}
        assert ET.fromstring(body["totp"]["qr_code"]).tag == "{http://www.w3.org/2000/svg}svg"
        assert pyotp.parse_uri(body["totp"]["uri"]).secret == body["totp"]["secret"]
        assert answer.headers["cache-control"] == "no-store"

    def test_takes_an_app_without_a_name(self, device):
        assert device.enroll(friendly_name=None, issuer=None).json()["friendly_name"] == ""

    @pytest.mark.parametrize(
        ("fields", "status", "code", "message"),
        [
            ({"factor_type": "phone", "phone": "+447700900000"}, 422, "mfa_phone_enroll_not_enabled", None),
            ({"factor_type": "webauthn"}, 422, "mfa_webauthn_enroll_not_enabled", None),
            (
                {"factor_type": "smoke"},
                400,
                "validation_failed",
                "factor_type needs to be totp, phone, or webauthn",
            ),
            ({"factor_type": None}, 400, "validation_failed", None),
            ({"friendly_name": "x" * 101}, 400, "validation_failed", None),
            ({"friendly_name": 5}, 400, "validation_failed", None),
        ],
    )
    def test_refuses_bad_fields(self, device, fields, status, code, message):
        assert refused(device.enroll(**fields), status, code, message)

    def test_refuses_a_taken_name(self, proven):
        assert refused(proven.enroll(), 422, "mfa_factor_name_conflict")

    def test_refuses_too_many(self, device):
        for number in range(10):
            device.enroll(friendly_name=f"phone {number}")
        assert refused(device.enroll(), 422, "too_many_enrolled_mfa_factors")

    def test_refuses_a_session_without_the_second_factor(self, proven, auth):
        other = Device(auth, auth.sign_in().json())
        assert refused(other.enroll(friendly_name="other"), 403, "insufficient_aal")

    def test_refuses_anonymous_users(self, start):
        auth = start(anonymous_enabled=True)
        device = Device(auth, auth.post("signup").json())
        assert refused(device.enroll(), 403, "no_authorization")

    def test_can_be_switched_off(self, start):
        auth = start(mfa_totp_enroll_enabled=False, mfa_totp_verify_enabled=False)
        device = Device(auth, auth.sign_up().json())
        assert refused(device.enroll(), 422, "mfa_totp_enroll_not_enabled")
        assert refused(device.challenge(uuid4()), 422, "mfa_totp_verify_not_enabled")

    def test_demands_a_token(self, auth):
        answer = auth.client.post("/auth/v1/factors", json={"factor_type": "totp"})
        assert refused(answer, 401, "no_authorization")


class TestChallenge:
    def test_answers_until_when(self, device):
        device.enroll()
        body = device.challenge().json()
        assert set(body) == {"id", "type", "expires_at"}
        assert UUID(body["id"])
        assert body["type"] == "totp"
        assert abs(body["expires_at"] - datetime.now(UTC).timestamp() - 300) < 30

    def test_takes_no_body(self, device):
        device.enroll()
        assert device.call("POST", f"/factors/{device.id}/challenge").status_code == 200

    @pytest.mark.parametrize(
        ("factor_id", "code"), [(uuid4(), "mfa_factor_not_found"), ("no id", "validation_failed")]
    )
    def test_needs_a_factor(self, device, factor_id, code):
        assert refused(device.challenge(factor_id), 404, code)


class TestVerify:
    def test_answers_a_session_of_the_second_level(self, device, auth):
        device.enroll()
        before = device.session
        answer = device.verify()
        assert answer.status_code == 200
        session = answer.json()
        assert session["refresh_token"] != before["refresh_token"]
        [factor] = session["user"]["factors"]
        assert set(factor) == FACTOR_KEYS | {"last_challenged_at"}
        assert (factor["id"], factor["status"], factor["factor_type"]) == (device.id, "verified", "totp")
        assert auth.user(session["access_token"]).json()["factors"] == [factor]
        assert answer.headers["sb-auth-refresh-token-counter"] == "2"

    @pytest.mark.parametrize(
        ("fields", "message"),
        [({"code": ""}, "Code needs to be non-empty"), ({"challenge_id": None}, None)],
    )
    def test_refuses_bad_fields(self, device, fields, message):
        device.enroll()
        body = {"challenge_id": str(uuid4()), "code": "123456", **fields}
        answer = device.call("POST", f"/factors/{device.id}/verify", json=body)
        assert refused(answer, 400, "validation_failed", message)

    def test_refuses_a_wrong_code_until_the_challenge_is_used_up(self, device):
        device.enroll()
        challenge_id = device.challenge().json()["id"]
        for _ in range(MAX_CODE_ATTEMPTS):
            answer = device.verify("000000" if device.code() != "000000" else "000001", challenge_id)
            assert refused(answer, 422, "mfa_verification_failed", "Invalid TOTP code entered")
        assert refused(device.verify(challenge_id=challenge_id), 422, "mfa_challenge_expired")

    def test_refuses_another_address(self, device):
        device.enroll()
        challenge_id = device.challenge().json()["id"]
        device.client.headers["x-forwarded-for"] = "198.51.100.1"
        assert refused(device.verify(challenge_id=challenge_id), 422, "mfa_ip_address_mismatch")

    def test_is_limited(self, start):
        auth = start(factor_verify_limit_per_user="2/hour")
        device = Device(auth, auth.sign_up().json())
        device.enroll()
        challenge_id = device.challenge().json()["id"]
        for _ in range(2):
            device.verify("12345", challenge_id)
        answer = device.verify(challenge_id=challenge_id)
        assert refused(answer, 429, "over_request_rate_limit")
        assert int(answer.headers["retry-after"]) > 0


class TestLimits:
    def test_are_not_used_up_by_sessions_that_ended(self, start):
        auth = start(factor_limit_per_user="3/hour", factor_verify_limit_per_user="1/hour")
        ended = Device(auth, auth.sign_up().json())
        auth.sign_out(ended.session["access_token"])
        ended.id = uuid4()
        for answer in (ended.enroll(), ended.challenge(), ended.verify("123456", str(uuid4()))):
            assert refused(answer, 403, "session_not_found")
        owner = Device(auth, auth.sign_in().json())
        owner.enroll()
        assert owner.verify().status_code == 200


class TestUnenroll:
    def test_answers_the_id(self, proven, auth):
        answer = proven.unenroll()
        assert (answer.status_code, answer.json()) == (200, {"id": proven.id})
        assert "factors" not in auth.user(proven.session["access_token"]).json()

    def test_demands_the_second_factor(self, proven, auth):
        other = Device(auth, auth.sign_in().json())
        other.id = proven.id
        assert refused(other.unenroll(), 422, "insufficient_aal")


class TestUpdateUser:
    def test_demands_the_second_factor(self, proven, auth):
        token = auth.sign_in().json()["access_token"]
        answer = auth.update(token, password="another password")
        assert refused(answer, 401, "insufficient_aal")
        assert auth.update(token, data={"city": "London"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "", "mfa_recovery_codes_enroll_not_enabled"),
        ("POST", "", "mfa_recovery_codes_enroll_not_enabled"),
        ("DELETE", "", "mfa_recovery_codes_enroll_not_enabled"),
        ("POST", "/regenerate", "mfa_recovery_codes_enroll_not_enabled"),
        ("POST", "/verify", "mfa_recovery_codes_verify_not_enabled"),
    ],
)
def test_recovery_codes_are_refused(device, method, path, code):
    assert refused(device.call(method, f"/factors/recovery-codes{path}"), 422, code)
