"""Somebody becomes a tutor: sign up, answer the wizard on a bad network, find everything in its place."""

from cas_kit.testing import until

SUBJECTS = {"subjects": ["mathematics", "computer_science"]}
QUALIFICATIONS = {
    "qualifications": {
        "experience": "expert",
        "education": "masters",
        "certifications": ["teaching-certificate", "none"],
        "bio": "I have taught mathematics to pupils of every age for more than ten years.",
    }
}
AVAILABILITY = {
    "availability": {
        "hourlyRate": 40,
        "availability": ["weekday_morning", "weekend_evening"],
        "sessionTypes": ["one_on_one", "online"],
    }
}


class TestATutorOnboards:
    def test_in_five_saves_with_a_stale_one_and_a_duplicate_in_between(self, ada):
        tab = {"client_session": "tab-1"}
        assert ada.get("/api/onboarding/progress/tutor").status_code == 404

        ada.save(1, "tutor", {}, client_revision=1, **tab)
        ada.save(2, "tutor", SUBJECTS, client_revision=2, **tab)
        third = ada.save(3, "tutor", SUBJECTS | QUALIFICATIONS, client_revision=3, **tab)
        stale = ada.save(2, "tutor", {"subjects": ["arts"]}, client_revision=2, **tab)
        assert (stale["applied"], stale["step_data"]) == (False, third["step_data"])
        duplicate = ada.save(3, "tutor", SUBJECTS | QUALIFICATIONS, client_revision=3, **tab)
        assert (duplicate["applied"], duplicate["version"]) == (True, third["version"])
        answers = SUBJECTS | QUALIFICATIONS | AVAILABILITY
        ada.save(4, "tutor", answers, client_revision=4, **tab)

        done = ada.save(5, "tutor", answers, client_revision=5, is_complete=True, **tab)
        assert done["is_complete"] is True
        assert (done["effects"], done["missing"]) == ("applied", [])

        assert_has_the_template(ada)
        assert_has_the_role(ada)
        assert_token_carries_the_role(ada)

        # A late auto-save of another tab changes nothing any more.
        late = ada.save(3, "tutor", SUBJECTS, client_revision=1, client_session="tab-2")
        assert (late["is_complete"], late["applied"], late["step_data"]) == (True, False, answers)

        token = ada.session["access_token"]
        assert ada.http.post("/auth/v1/logout").status_code == 204
        signed_out = ada.get("/auth/v1/user", headers={"Authorization": f"Bearer {token}"})
        assert (signed_out.status_code, signed_out.json()["code"]) == (403, "session_not_found")

    def test_and_becomes_a_client_later_without_losing_anything(self, ada):
        ada.save(5, "tutor", SUBJECTS | QUALIFICATIONS | AVAILABILITY, is_complete=True)
        before = ada.get("/api/account/professional-info", params={"role_type": "tutor"}).json()
        done = ada.save(4, "seeker", {"subjects": ["languages"]}, is_complete=True)
        assert done["role_type"] == "client"
        assert "preferences.educationLevel" in done["missing"]

        profile = ada.get("/api/profile").json()
        assert (profile["roles"], profile["active_role"]) == (["tutor", "client"], "client")
        assert set(profile["onboarding_completed"]) == {"tutor", "client"}
        assert ada.get("/api/account/professional-info", params={"role_type": "tutor"}).json() == before

        switched = ada.http.patch("/api/profile", json={"active_role": "provider"})
        assert switched.json()["user"]["active_role"] == "tutor"


class TestAnAgencyOnboards:
    def test_and_every_answer_lands_in_its_template(self, new_person):
        owner = new_person("Grace Hopper")
        answers = {
            "services": ["academic_tutoring", "test_prep"],
            "agencyDetails": {
                "agencyName": "Hopper Tutors",
                "agencySize": "small",
                "yearsInBusiness": "established",
                "description": "A small agency for mathematics and computing, in London and online.",
            },
            "capacity": {
                "commissionRate": 15,
                "serviceAreas": ["local", "online"],
                "studentCapacity": "medium",
            },
        }
        done = owner.save(5, "agent", answers, is_complete=True)
        assert (done["effects"], done["missing"]) == ("applied", [])
        template = owner.get("/api/account/professional-info", params={"role_type": "agent"}).json()
        assert template["agency_name"] == "Hopper Tutors"
        assert template["services"] == ["Academic tutoring", "Test preparation"]
        assert (template["number_of_tutors"], template["years_in_business"]) == ("1-5", "3-5 years")
        assert (template["commission_rate"], template["student_capacity"]) == (15, "25-100")
        assert template["coverage_areas"] == ["Local area", "Online"]


def assert_has_the_template(person):
    answer = person.get("/api/account/professional-info", params={"role_type": "provider"})
    assert answer.status_code == 200, answer.text
    template = answer.json()
    assert template["role_type"] == "provider"
    assert template["subjects"] == ["Mathematics", "Computer Science"]
    assert template["teaching_experience"] == "5-10 years"
    assert template["qualifications"] == ["Master's degree", "Teaching Certificate"]
    assert (template["hourly_rate"], template["hourly_rate_range"]) == (40, {"min": 40, "max": 50})
    assert template["availability"] == ["weekday_morning", "weekend_evening"]
    assert template["session_types"] == ["One-on-one", "Online"]
    assert template["completeness"]["missing"] == ["levels"]


def assert_has_the_role(person):
    profile = person.get("/api/profile").json()
    assert (profile["roles"], profile["active_role"], profile["role"]) == (["tutor"], "tutor", "tutor")
    assert (profile["display_name"], profile["email_verified"]) == ("Ada Lovelace", True)
    assert profile["bio"] == QUALIFICATIONS["qualifications"]["bio"]
    assert list(profile["onboarding_completed"]) == ["tutor"]


def assert_token_carries_the_role(person):
    def refreshed_roles():
        person.refresh()
        return person.claims["app_metadata"].get("roles")

    assert until(refreshed_roles) == ["tutor"]
    assert person.claims["app_metadata"]["active_role"] == "tutor"
