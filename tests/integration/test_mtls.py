"""The whole system with certificates between its services: a person notices nothing.

That a stranger gets nowhere: tests/authorisation/test_rpc.py.
"""

from tests.integration.person import Person

from cas_kit.testing import until


def test_a_completed_onboarding_reaches_the_next_token(encrypted_stack):
    """From onboarding to account, and from account to auth."""
    ada = Person.sign_up(encrypted_stack.url, name="Ada Lovelace")
    saved = ada.save(5, "tutor", {"subjects": ["mathematics"]}, is_complete=True)
    assert saved["is_complete"]
    until(lambda: ada.get("/api/onboarding/progress/tutor").json()["effects"] == "applied")
    until(lambda: roles_after_refresh(ada) == ["tutor"])
    ada.close()


def roles_after_refresh(person):
    person.refresh()
    return person.claims["app_metadata"].get("roles")
