"""Tokens of other issuers, of other algorithms, and of programs: each is good for what it is, and for nothing else."""

from uuid import UUID, uuid4

import jwt
import pytest
from pydantic import SecretStr

from cas_kit.errors import Unauthenticated, Unavailable
from cas_kit.issuers import Subjects, TrustedIssuer, local_user_id
from cas_kit.jwks import shared_key
from cas_kit.testing import Issuer, JwksServer
from cas_kit.testing.issuer import AUDIENCE, ISSUER
from cas_kit.tokens import SubjectNotAUser, TokenVerifier

OURS = Issuer("ours")
SECRET = "a secret of at least thirty-two bytes"
OTHER_SECRET = "another secret of thirty-two bytes"


def verifier_of(*trusted, keys=OURS):
    return TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, trusted=trusted)


def hs256(secret=SECRET, *, url=ISSUER, kid=None, **claims):
    payload = {**OURS.claims(), "iss": url, **claims}
    payload = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(payload, secret, "HS256", headers={"kid": kid} if kid else None)


def own_secret(secret=SECRET):
    return TrustedIssuer(issuer=ISSUER, algorithm="HS256", secret=SecretStr(secret), subjects=Subjects.SAME)


@pytest.fixture
def server():
    with JwksServer() as running:
        yield running


@pytest.fixture
def project(server):
    """Another issuer, whose keys are published."""
    issuer = Issuer("theirs", url=f"{server.url}/auth/v1")
    server.publish(issuer.jwk)
    return issuer


def trust(issuer, **values):
    return TrustedIssuer(**{"issuer": issuer.url, "algorithm": issuer.algorithm, **values})


class TestOurOwnKeys:
    @pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
    def test_may_be_of_either_algorithm(self, algorithm):
        issuer = Issuer(algorithm=algorithm)
        user_id = uuid4()
        principal = verifier_of(keys=issuer).verify(issuer.token(user_id))
        assert (principal.user_id, principal.issuer) == (user_id, ISSUER)

    @pytest.mark.parametrize(("real", "said"), [("ES256", "RS256"), ("RS256", "ES256")])
    def test_verify_their_own_algorithm_whatever_the_token_says(self, real, said):
        published, forger = Issuer(algorithm=real), Issuer(algorithm=said)
        with pytest.raises(Unauthenticated):
            verifier_of(keys=published).verify(forger.token())

    def test_have_to_be_long_enough(self):
        weak = jwt.PyJWK({"kty": "oct", "alg": "HS256", "k": "c2hvcnQ"})

        class Weak:
            def key(self, kid):
                return weak

        with pytest.warns(jwt.InsecureKeyLengthWarning):
            token = hs256("short", kid="weak")
        with pytest.raises(Unauthenticated):
            verifier_of(keys=Weak()).verify(token)


class TestOurOwnSecret:
    @pytest.mark.parametrize("kid", [None, "an old id"])
    def test_still_verifies_tokens_from_before(self, kid):
        user_id = uuid4()
        principal = verifier_of(own_secret()).verify(hs256(kid=kid, sub=str(user_id)))
        assert (principal.user_id, principal.issuer) == (user_id, ISSUER)

    def test_may_come_and_go(self):
        secrets = [None, shared_key(SecretStr(SECRET)), None]
        verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=OURS, secret=lambda: secrets[0])
        for good in (False, True, False):
            if good:
                assert verifier.verify(hs256())
            else:
                with pytest.raises(Unauthenticated):
                    verifier.verify(hs256())
            del secrets[0]

    def test_stands_beside_the_published_keys(self):
        assert verifier_of(own_secret()).verify(OURS.token())

    def test_is_asked_of_nobody_when_it_is_not_set(self):
        with pytest.raises(Unauthenticated):
            verifier_of().verify(hs256())

    @pytest.mark.parametrize(
        "token",
        [hs256(OTHER_SECRET), hs256(OTHER_SECRET, kid=OURS.kid), hs256(kid=OURS.kid)[:-4]],
        ids=["another secret", "another secret under our id", "cut off"],
    )
    def test_has_to_be_the_one(self, token):
        with pytest.raises(Unauthenticated):
            verifier_of(own_secret()).verify(token)

    def test_verifies_no_other_hash(self):
        token = jwt.encode(OURS.claims(), SECRET * 2, "HS512")
        with pytest.raises(Unauthenticated):
            verifier_of(own_secret(SECRET * 2)).verify(token)


class TestAnotherIssuer:
    def test_speaks_for_users_of_its_own(self, project):
        subject = uuid4()
        principal = verifier_of(trust(project)).verify(project.token(subject))
        expected = local_user_id(str(subject), issuer=project.url, subjects=Subjects.DERIVED)
        assert (principal.user_id, principal.issuer) == (expected, project.url)
        assert principal.user_id != subject
        assert principal.claims["sub"] == str(subject)

    def test_may_name_its_users_as_it_likes(self, project):
        assert verifier_of(trust(project)).verify(project.token("auth0|ada")).user_id.version == 5

    def test_speaks_for_local_users_where_it_is_told_to(self, project):
        verifier = verifier_of(trust(project, subjects="same"))
        user_id = uuid4()
        assert verifier.verify(project.token(user_id)).user_id == user_id
        with pytest.raises(SubjectNotAUser):
            verifier.verify(project.token("auth0|ada"))

    def test_is_remembered_like_our_own(self, project, server):
        verifier = verifier_of(trust(project))
        token = project.token()
        assert verifier.verify(token) is verifier.remembered(token)
        assert server.asked == ["/auth/v1/.well-known/jwks.json"]

    def test_may_still_sign_with_a_secret(self):
        entry = TrustedIssuer(issuer="https://old.example", algorithm="HS256", secret=SecretStr(SECRET))
        assert verifier_of(entry).verify(hs256(url="https://old.example"))
        with pytest.raises(Unauthenticated):
            verifier_of(entry).verify(hs256(OTHER_SECRET, url="https://old.example"))

    def test_may_be_leaving_its_secret(self, project):
        verifier = verifier_of(trust(project), trust(project, algorithm="HS256", secret=SecretStr(SECRET)))
        assert verifier.verify(project.token())
        assert verifier.verify(hs256(url=project.url))

    def test_has_an_audience_of_its_own(self, project):
        verifier = verifier_of(trust(project, audience="web"))
        assert verifier.verify(project.token(aud="web"))
        with pytest.raises(Unauthenticated):
            verifier.verify(project.token(aud=AUDIENCE))

    def test_is_nobody_unless_trusted(self, project):
        with pytest.raises(Unauthenticated):
            verifier_of().verify(project.token())

    def test_only_delays_its_own_users_while_it_is_away(self, project, server):
        server.close()
        verifier = verifier_of(trust(project))
        with pytest.raises(Unavailable):
            verifier.verify(project.token())
        assert verifier.verify(OURS.token())


class TestKeysOfOneIssuer:
    """...verify nobody else's tokens."""

    @pytest.fixture
    def verifier(self, project):
        old = TrustedIssuer(issuer="https://old.example", algorithm="HS256", secret=SecretStr(SECRET))
        return verifier_of(trust(project), old)

    def test_are_not_for_our_name(self, verifier, project):
        with pytest.raises(Unauthenticated):
            verifier.verify(project.token(iss=ISSUER))
        with pytest.raises(Unauthenticated):
            verifier.verify(hs256(url=ISSUER))

    def test_are_not_for_our_name_under_our_key_id(self, verifier, server):
        impostor = Issuer(OURS.kid)
        server.publish(impostor.jwk)
        with pytest.raises(Unauthenticated):
            verifier.verify(impostor.token())

    def test_of_ours_are_not_for_theirs(self, verifier, project):
        with pytest.raises(Unauthenticated):
            verifier.verify(OURS.token(iss=project.url))

    def test_of_one_secret_are_not_for_another_issuer(self, verifier, project):
        with pytest.raises(Unauthenticated):
            verifier.verify(hs256(url=project.url))

    def test_are_of_the_algorithm_agreed(self, verifier, project, server):
        """Also when the issuer publishes a key of another one."""
        changed = Issuer("rsa", algorithm="RS256", url=project.url)
        server.publish(changed.jwk)
        with pytest.raises(Unauthenticated):
            verifier.verify(changed.token())

    def test_are_not_taken_for_a_secret(self, verifier, project, server):
        server.publish({"kty": "oct", "alg": "HS256", "kid": "k", "k": "c2VjcmV0" * 8}, project.jwk)
        with pytest.raises(Unauthenticated):
            verifier.verify(hs256("secret" * 8, url=project.url, kid="k"))


class TestAProgram:
    """A service role's token acts for no user, but says what it says."""

    @pytest.mark.parametrize("role", ["service_role", "supabase_admin"])
    @pytest.mark.parametrize("user_id", [None, uuid4()])
    def test_is_no_user(self, role, user_id):
        token = OURS.token(role=role, sub=str(user_id) if user_id else None, session_id=None)
        verifier = verifier_of()
        with pytest.raises(Unauthenticated):
            verifier.verify(token)
        assert verifier.remembered(token) is None

    @pytest.mark.parametrize("session_id", [None, "of that issuer"])
    def test_of_another_issuer_is_no_user_either(self, project, session_id):
        with pytest.raises(Unauthenticated):
            verifier_of(trust(project)).verify(project.token(role="service_role", session_id=session_id))

    @pytest.mark.parametrize("role", ["service_role", "supabase_admin"])
    def test_of_that_role_is_not_somebody_who_signed_in(self, role):
        """An administrator with an account has a session, which they must be able to end."""
        user_id = uuid4()
        assert verifier_of().verify(OURS.token(user_id, role=role)).user_id == user_id

    def test_is_known_by_its_claims(self):
        claims = verifier_of().verified_claims(OURS.token(role="service_role", sub=None))
        assert (claims["role"], "sub" in claims) == ("service_role", False)

    def test_signed_with_the_old_secret_is_known_too(self):
        token = hs256(role="service_role", sub=None)
        assert verifier_of(own_secret()).verified_claims(token)["role"] == "service_role"

    def test_of_another_issuer_is_unknown(self, project):
        with pytest.raises(Unauthenticated):
            verifier_of(trust(project)).verified_claims(project.token(role="service_role", sub=None))

    def test_has_to_prove_itself_like_everybody(self):
        for claims in ({"exp": 1}, {"aud": "x"}, {"iss": "https://x.example"}, {"exp": None}):
            with pytest.raises(Unauthenticated):
                verifier_of().verified_claims(OURS.token(role="service_role", sub=None, **claims))
        with pytest.raises(Unauthenticated):
            verifier_of().verified_claims(Issuer(OURS.kid).token(role="service_role", sub=None))

    def test_claims_of_a_user_are_told_too(self):
        user_id = uuid4()
        assert UUID(verifier_of().verified_claims(OURS.token(user_id))["sub"]) == user_id
