"""Where somebody is signed in: shown to them, ended by them, and ended by the limits of an installation."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pyotp
import pytest
from sqlalchemy import select, update

from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.devices import device_name
from cas_auth.domain.refusals import (
    AdminSessionExpired,
    DeviceNotFound,
    RefreshTokenNotFound,
    SessionExpired,
    SessionNotFound,
)
from cas_auth.domain.sessions import AuthMethod, Expiry, LogoutScope
from cas_auth.models import User, UserSession
from cas_auth.operations import devices, factors
from cas_auth.operations.housekeeping import forget_stale
from cas_auth.operations.sessions import authenticate_admin

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0"
ELSEWHERE = Origin(request_id="request-2", ip="2001:db8::1", user_agent=WINDOWS)


class TestDeviceName:
    @pytest.mark.parametrize(
        ("user_agent", "name"),
        [
            (WINDOWS, "Firefox on Windows"),
            (
                (
                    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
                    "Version/18.5 Mobile/15E148 Safari/604.1"
                ),
                "Safari on iPhone",
            ),
            (
                (
                    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
                    "Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0"
                ),
                "Edge on macOS",
            ),
            (
                (
                    "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) "
                    "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"
                ),
                "Samsung Internet on Android",
            ),
            (
                (
                    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) "
                    "Chrome/138.0.0.0 Safari/537.36"
                ),
                "Chrome on ChromeOS",
            ),
            ("okhttp/4.12.0", "okhttp"),
            ("Tutoring/3.1 (iPad; iOS 18.5)", "Tutoring on iPad"),
            ("node", "node"),
            ("Mozilla/5.0 (X11; Linux x86_64)", "Linux"),
            ("Mozilla/5.0", None),
            ("<script>alert(1)</script>", None),
            ("", None),
            (None, None),
        ],
    )
    def test_is_what_its_owner_would_say(self, user_agent, name):
        assert device_name(user_agent) == name


@pytest.fixture
def shown(desk):
    def show(grant, *, at=desk):
        with at.database.transaction() as session:
            return devices.list_devices(
                session, at.tools, user_id=grant.user.id, session_id=grant.session.id, now=at.now
            )

    return show


@pytest.fixture
def end(desk):
    def end(grant, device_id):
        with desk.database.transaction() as session:
            devices.end_device(
                session,
                user_id=grant.user.id,
                session_id=grant.session.id,
                device_id=device_id,
                origin=desk.origin,
                now=desk.now,
            )

    return end


class TestListDevices:
    def test_shows_where_the_caller_is_signed_in(self, desk, ada, shown):
        later = replace(desk, now=desk.now + HOUR, origin=ELSEWHERE)
        other = later.sign_in()
        desk.sign_up("eve@example.com")
        first, second = shown(ada)
        assert (first.id, first.current, first.created_at) == (other.session.id, False, later.now)
        assert (first.ip, first.user_agent, first.name) == ("2001:db8::1", WINDOWS, "Firefox on Windows")
        assert (second.id, second.current, second.aal) == (ada.session.id, True, "aal1")
        assert (second.ip, second.name) == ("203.0.113.9", "pytest")

    def test_shows_the_last_use_and_from_where(self, desk, ada, shown):
        later = replace(desk, now=desk.now + HOUR, origin=ELSEWHERE)
        later.refresh(ada.refresh_token)
        [device] = shown(ada)
        assert (device.created_at, device.last_used_at) == (desk.now, later.now)
        assert (device.ip, device.name) == ("2001:db8::1", "Firefox on Windows")

    def test_leaves_out_what_has_expired(self, desk, ada, shown, auth_settings):
        brief = desk.with_settings(auth_settings(session_inactivity=HOUR)).at(desk.now + HOUR + SECOND)
        other = brief.sign_in()
        assert [device.id for device in shown(other, at=brief)] == [other.session.id]

    def test_needs_a_session(self, desk, ada, shown):
        desk.sign_out(ada, LogoutScope.LOCAL)
        with pytest.raises(SessionNotFound):
            shown(ada)


class TestEndDevice:
    def test_signs_out_there_and_nowhere_else(self, desk, ada, end, audit):
        other, third = desk.sign_in(), desk.sign_in()
        end(ada, other.session.id)
        with pytest.raises(RefreshTokenNotFound):
            desk.refresh(other.refresh_token)
        assert desk.refresh(ada.refresh_token)
        assert desk.refresh(third.refresh_token)
        entry = audit()[-1]
        assert (entry.action, entry.session_id) == (AuditAction.LOGOUT, ada.session.id)
        assert entry.traits == {"ended_session_id": str(other.session.id)}

    def test_signs_out_here(self, desk, ada, end):
        end(ada, ada.session.id)
        with pytest.raises(SessionNotFound):
            desk.authenticate(ada)

    def test_does_not_touch_other_people(self, desk, ada, end):
        eve = desk.sign_up("eve@example.com")
        for device_id in (eve.session.id, uuid4()):
            with pytest.raises(DeviceNotFound):
                end(ada, device_id)
        assert desk.refresh(eve.refresh_token)


class TestLimits:
    """What an installation allows sessions; without a setting they last for ever."""

    @pytest.fixture
    def limited(self, desk, auth_settings):
        return lambda **limits: desk.with_settings(auth_settings(**limits))

    def expired(self, desk, grant, why):
        """Whether the session ends as it is refreshed, for this reason."""
        with pytest.raises(SessionExpired, match=f"Session Expired .{why}.$"):
            desk.refresh(grant.refresh_token)
        with pytest.raises(RefreshTokenNotFound):
            desk.refresh(grant.refresh_token)
        with pytest.raises(SessionNotFound):
            desk.authenticate(grant)
        return True

    def test_are_none_unless_set(self, desk, ada):
        assert desk.at(desk.now + 10_000 * HOUR).refresh(ada.refresh_token)

    def test_the_time_since_the_sign_in(self, limited, ada, audit):
        desk = limited(session_timebox=2 * HOUR)
        renewed = desk.at(desk.now + 2 * HOUR).refresh(ada.refresh_token)
        assert self.expired(desk.at(desk.now + 2 * HOUR + SECOND), renewed, Expiry.TIMEBOX)
        assert (audit()[-1].action, audit()[-1].traits) == (AuditAction.TOKEN_REVOKED, {"reason": "timebox"})

    def test_the_time_since_the_last_refresh(self, limited, ada):
        desk = limited(session_inactivity=2 * HOUR)
        for hours in (2, 4, 6):
            ada = desk.at(desk.now + hours * HOUR).refresh(ada.refresh_token)
        assert self.expired(desk.at(desk.now + 8 * HOUR + SECOND), ada, Expiry.INACTIVITY)

    def test_the_time_without_the_second_factor(self, limited, desk, ada):
        enrolled = desk.run(
            factors.enroll_totp,
            user_id=ada.user.id,
            session_id=ada.session.id,
            friendly_name=None,
            issuer=None,
        )
        who = {"user_id": ada.user.id, "session_id": ada.session.id, "factor_id": enrolled.factor.id}
        challenge = desk.run(factors.challenge_factor, **who)
        code = pyotp.TOTP(enrolled.secret).at(desk.now)
        proven = desk.run(factors.verify_factor, **who, challenge_id=challenge.id, code=code)
        assert proven.session.amr[0]["method"] == AuthMethod.TOTP
        unproven = desk.sign_in()
        strict = limited(session_low_aal_timeout=HOUR)
        late = strict.at(desk.now + HOUR + SECOND)
        assert late.refresh(proven.refresh_token)
        assert self.expired(late, unproven, Expiry.LOW_AAL)

    def test_no_second_factor_is_no_limit(self, limited, ada):
        desk = limited(session_low_aal_timeout=HOUR)
        assert desk.at(desk.now + 10 * HOUR).refresh(ada.refresh_token)

    def test_a_newer_sign_in(self, limited, ada):
        desk = limited(session_single_per_user=True)
        newer = desk.at(desk.now + HOUR).sign_in()
        later = desk.at(desk.now + 2 * HOUR)
        assert self.expired(later, ada, Expiry.NEWER_LOGIN)
        assert later.refresh(newer.refresh_token)

    def test_a_newer_sign_in_of_somebody_else_or_that_ended_is_none(self, limited, ada):
        desk = limited(session_single_per_user=True)
        later = desk.at(desk.now + HOUR)
        later.sign_up("eve@example.com")
        later.sign_out(later.sign_in(), LogoutScope.LOCAL)
        assert later.refresh(ada.refresh_token)

    @pytest.mark.parametrize("limit", ["session_timebox", "session_inactivity"])
    def test_remove_sessions_nobody_comes_back_for(self, limited, ada, database, limit):
        desk = limited(**{limit: HOUR})
        day = 24 * HOUR
        young = desk.at(desk.now + 7 * day).sign_in()

        def tidy(now):
            with database.transaction() as session:
                forget_stale(session, desk.tools, now=now)
            with database.transaction() as session:
                return set(session.scalars(select(UserSession.id)))

        assert tidy(desk.now + 7 * day + HOUR) == {ada.session.id, young.session.id}
        assert tidy(desk.now + 7 * day + HOUR + SECOND) == {young.session.id}

    def test_without_them_sessions_stay(self, desk, ada, database):
        with database.transaction() as session:
            forget_stale(session, desk.tools, now=desk.now + 10_000 * HOUR)
        assert desk.authenticate(ada)

    def test_count_for_administrators_at_once(self, limited, ada):
        desk = limited(session_timebox=HOUR)

        def administer(at):
            with at.database.transaction() as session:
                return authenticate_admin(
                    session, at.tools, user_id=ada.user.id, session_id=ada.session.id, now=at.now
                )

        assert administer(desk).id == ada.session.id
        with pytest.raises(AdminSessionExpired):
            administer(desk.at(desk.now + HOUR + SECOND))


class TestOverRest:
    def call(self, auth, session, method, path=""):
        headers = {"Authorization": f"Bearer {session['access_token']}"}
        return auth.client.request(method, f"/auth/v1/user/sessions{path}", headers=headers)

    def test_lists_and_ends(self, auth):
        own = auth.sign_up().json()
        auth.client.headers["user-agent"] = WINDOWS
        other = auth.sign_in().json()
        listed = self.call(auth, own, "GET").json()["sessions"]
        assert [(device["device"], device["current"]) for device in listed] == [
            ("Firefox on Windows", False),
            ("testclient", True),
        ]
        assert set(listed[0]) == {
            "id", "created_at", "last_used_at", "ip", "user_agent", "device", "aal", "current",
        }  # fmt: skip
        assert listed[0]["ip"] == "203.0.113.9"
        answer = self.call(auth, own, "DELETE", f"/{listed[0]['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert auth.user(other["access_token"]).json()["code"] == "session_not_found"
        assert len(self.call(auth, own, "GET").json()["sessions"]) == 1

    @pytest.mark.parametrize(
        ("device_id", "code"), [("0" * 32, "session_not_found"), ("no-id", "validation_failed")]
    )
    def test_does_not_know_other_sessions(self, auth, device_id, code):
        answer = self.call(auth, auth.sign_up().json(), "DELETE", f"/{device_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, code)

    def test_says_why_a_session_expired(self, start):
        auth = start(session_timebox=timedelta(0))
        answer = auth.refresh(auth.sign_up().json()["refresh_token"])
        assert (answer.status_code, answer.json()["code"]) == (400, "session_expired")
        assert answer.json()["message"] == "Invalid Refresh Token: Session Expired (Timebox)"

    def test_refuses_administrators_whose_session_expired(self, start, database):
        auth = start(session_timebox=timedelta(0))
        auth.sign_up()
        with database.transaction() as session:
            session.execute(update(User).values(role="supabase_admin"))
        headers = {"Authorization": f"Bearer {auth.sign_in().json()['access_token']}"}
        answer = auth.client.get("/auth/v1/admin/users", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "session_expired")
