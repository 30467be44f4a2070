"""What the account service is asked, and what its answers mean."""

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from cas_kit.errors import Unavailable
from cas_kit.outbox import Undeliverable
from cas_kit.rpc import RemoteRefusal
from cas_onboarding.clients import AccountClient, apply_onboarding_request
from cas_onboarding.domain.completion import CompletedOnboarding, ProfessionalInfo, RateRange
from cas_onboarding.domain.roles import Role

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERYTHING = ProfessionalInfo(
    subjects=("Mathematics",),
    teaching_experience="5-10 years",
    hourly_rate=Decimal("40.50"),
    hourly_rate_range=RateRange(min=40, max=50),
    qualifications=("Master's degree",),
    certifications=("Teaching Certificate",),
    availability=("weekday_morning", "weekend_evening"),
    session_types=("Online",),
    bio="I teach.",
    education_level="GCSE",
    learning_goals=("Improve grades",),
    learning_preferences=("Fast-paced",),
    budget_range="20-40",
    sessions_per_week="4",
    session_duration="1 hour",
    additional_info="Left-handed.",
    agency_name="Ada & Co",
    services=("STEM tutoring",),
    coverage_areas=("London",),
    years_in_business="3-5 years",
    number_of_tutors="6-10",
    student_capacity="25-100",
    commission_rate=Decimal("12.5"),
    description="Tutors.",
)


def completed(info=EVERYTHING):
    return CompletedOnboarding(user_id=uuid4(), role=Role.AGENT, completed_at=NOW, professional_info=info)


def sent(info):
    request = apply_onboarding_request(uuid4(), completed(info))
    return MessageToDict(request.professional_info, preserving_proto_field_name=True)


class TestApplyOnboardingRequest:
    def test_carries_every_field(self):
        assert sent(EVERYTHING) == {
            "subjects": {"values": ["Mathematics"]},
            "teaching_experience": "5-10 years",
            "hourly_rate": {"minor_units": "4050", "currency": "GBP"},
            "hourly_rate_range": {
                "min": {"minor_units": "4000", "currency": "GBP"},
                "max": {"minor_units": "5000", "currency": "GBP"},
            },
            "qualifications": {"values": ["Master's degree"]},
            "certifications": {"values": ["Teaching Certificate"]},
            "availability": ["weekday_morning", "weekend_evening"],
            "session_types": {"values": ["Online"]},
            "bio": "I teach.",
            "education_level": "GCSE",
            "learning_goals": {"values": ["Improve grades"]},
            "learning_preferences": {"values": ["Fast-paced"]},
            "budget_range": "20-40",
            "sessions_per_week": "4",
            "session_duration": "1 hour",
            "additional_info": "Left-handed.",
            "agency_name": "Ada & Co",
            "services": {"values": ["STEM tutoring"]},
            "coverage_areas": {"values": ["London"]},
            "years_in_business": "3-5 years",
            "number_of_tutors": "6-10",
            "student_capacity": "25-100",
            "commission_rate": 12.5,
            "description": "Tutors.",
        }

    def test_of_every_field_is_complete(self):
        assert set(sent(EVERYTHING)) == {field.name for field in fields(ProfessionalInfo)}

    def test_leaves_out_what_was_not_answered(self):
        assert sent(ProfessionalInfo(bio="I teach.")) == {"bio": "I teach."}

    def test_leaves_an_open_range_open(self):
        info = ProfessionalInfo(hourly_rate_range=RateRange(min=100, max=None))
        assert sent(info) == {"hourly_rate_range": {"min": {"minor_units": "10000", "currency": "GBP"}}}

    def test_has_no_professional_info_when_nothing_was_answered(self):
        request = apply_onboarding_request(uuid4(), completed(ProfessionalInfo()))
        assert not request.HasField("professional_info")
        assert not request.HasField("profile_bio")

    def test_says_who_became_what_and_when(self):
        completion_id, one = uuid4(), completed()
        request = apply_onboarding_request(completion_id, one)
        assert (request.completion_id, request.user_id) == (str(completion_id), str(one.user_id))
        assert (request.role, request.profile_bio) == ("agent", "I teach.")
        assert request.completed_at.ToDatetime(tzinfo=UTC) == NOW


class TestAccountClient:
    @pytest.fixture
    def client(self, account):
        client = AccountClient(account.target)
        yield client
        client.close()

    def test_applies_an_onboarding(self, client, account):
        completion_id = uuid4()
        client.apply_onboarding(completion_id, completed())
        assert list(account.applied) == [str(completion_id)]

    @pytest.mark.parametrize(
        "status", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION]
    )
    def test_gives_up_what_can_never_be_applied(self, client, account, status):
        account.refuse_with = status
        with pytest.raises(Undeliverable, match=status.name):
            client.apply_onboarding(uuid4(), completed())

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (grpc.StatusCode.UNAVAILABLE, Unavailable),
            (grpc.StatusCode.INTERNAL, Unavailable),
            (grpc.StatusCode.RESOURCE_EXHAUSTED, Unavailable),
            (grpc.StatusCode.UNIMPLEMENTED, RemoteRefusal),
        ],
    )
    def test_leaves_the_rest_to_be_repeated(self, client, account, status, error):
        account.refuse_with = status
        with pytest.raises(error):
            client.apply_onboarding(uuid4(), completed())

    def test_does_not_wait_for_a_server_that_is_down(self, client, account):
        account.stop()
        with pytest.raises(Unavailable):
            client.apply_onboarding(uuid4(), completed())
