"""Texts of one person, planted wherever text is taken, and the search for them in everything that stores."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from psycopg import sql
from redis import Redis
from tests.integration.person import Person

from cas_kit.testing.photos import tagged
from cas_local.stack import Stack

REDIS_DATABASES = 16
TABLES = """
    SELECT schemaname, tablename FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""
# The folders of the stores hold what the stores answer themselves.
STORES = ("postgres", "redis")


class Canaries:
    """What one person says about themselves: every text has the same rare word in it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.word = f"canary{uuid4().hex[:10]}"
        self.email = f"{self.word}@example.com"
        self.password = f"{self.word} opens the door"
        self.planted: list[str] = []
        self._people: list[Person] = []

    def text(self, field: str) -> str:
        """A new text for this field."""
        self.planted.append(f"{self.word} {field}")
        return self.planted[-1]

    def address(self, field: str) -> str:
        """The same as a link."""
        self.planted.append(f"https://{self.word}.example/{field}")
        return self.planted[-1]

    # ---- planting ----

    def sign_up(self) -> Person:
        """The person, signed in."""
        person = self._person()
        data = {"full_name": self.text("full name"), "city": self.text("home")}
        answer = person.http.post(
            "/auth/v1/signup", json={"email": self.email, "password": self.password, "data": data}
        )
        assert answer.status_code == 200, answer.text
        person._keep(answer.json())
        return person

    def sign_in(self) -> Person:
        """The same person at a second device."""
        person = self._person()
        body = {"email": self.email, "password": self.password}
        answer = person.http.post("/auth/v1/token", params={"grant_type": "password"}, json=body)
        assert answer.status_code == 200, answer.text
        person._keep(answer.json())
        return person

    def plant(self, person: Person) -> None:
        """Say something in every field of every service."""
        self._tell_auth(person)
        self._tell_account(person)
        self._tell_onboarding(person)
        self._tell_listings(person)

    def _person(self) -> Person:
        person = Person(self.stack.url, email=self.email)
        person.http.headers["User-Agent"] = f"{self.word} browser"
        self._people.append(person)
        return person

    def close(self) -> None:
        """Close every browser of theirs."""
        for person in self._people:
            person.close()

    def _tell_auth(self, person: Person) -> None:
        data = {"data": {"nickname": self.text("nickname"), self.word: {"deep": [self.text("deep")]}}}
        assert person.http.put("/auth/v1/user", json=data).status_code == 200
        factor = {"factor_type": "totp", "friendly_name": self.text("phone")}
        assert person.http.post("/auth/v1/factors", json=factor).status_code == 200
        assert person.http.post("/auth/v1/recover", json={"email": self.email}).status_code == 200
        wrong = {"email": self.email, "password": f"{self.word} does not open it"}
        refused = person.http.post("/auth/v1/token", params={"grant_type": "password"}, json=wrong)
        assert refused.status_code == 400

    def _tell_account(self, person: Person) -> None:
        texts = ("first_name", "last_name", "bio", "categories", "achievements", "country", "city")
        links = ("avatar_url", "custom_picture_url")
        profile = {
            **{name: self.text(name) for name in texts},
            **{name: self.address(name) for name in links},
            "preferences": {self.word: self.text("preference")},
        }
        headers = {"Idempotency-Key": self.word}
        assert person.http.post("/api/profile", json=profile, headers=headers).status_code == 200
        cover = tagged(fields={"exif-ifd0-Artist": self.word})
        sent = person.http.post("/api/account/cover", files={"file": (self.word, cover)})
        assert sent.status_code == 200, sent.text
        for role in ("tutor", "client", "agent"):
            template = self._template(role)
            answer = person.http.patch(
                "/api/account/professional-info", json=template, headers=headers | {"Idempotency-Key": role}
            )
            assert answer.status_code == 200, answer.text

    def _template(self, role: str) -> dict[str, Any]:
        lists = ("subjects", "qualifications", "specializations", "special_needs", "certifications")
        words = ("bio", "agency_name", "description")
        return {
            "role_type": role,
            **{name: [self.text(f"{role} {name[:8]}")] for name in lists},
            **{name: self.text(f"{role} {name}") for name in words},
            "website_url": self.address(f"{role}-site"),
        }

    def _tell_onboarding(self, person: Person) -> None:
        tab = {"client_session": self.word}
        for role in ("tutor", "agent"):
            person.save(2, role, {"answer": self.text(f"{role} answer")}, **tab)
        answers = {"preferences": {"additionalInfo": self.text("client info")}, "notes": self.text("note")}
        person.save_raw(
            {"step": 4, "role_type": "client", "data": answers, "is_complete": True, **tab},
            **{"Idempotency-Key": self.word},
        )

    def _tell_listings(self, person: Person) -> None:
        lists = ("subjects", "languages", "specializations", "teaching_methods", "tags")
        free = ("qualifications", "academic_qualifications", "professional_qualifications")
        words = ("response_time", "location_address", "location_city", "location_country")
        listing = {
            **{name: [self.text(name[:8])] for name in lists},
            **{name: [self.text(name)] for name in free},
            **{name: self.text(name) for name in words},
            "title": self.text("listing for everybody"),
            "description": self.text("is what this listing is about, from beginning to end"),
            "levels": ["GCSE"],
            "teaching_experience": self.text("experience"),
            "location_postcode": self.word,
            "video_url": self.address("video"),
            "pricing_packages": [{"sessions": 5, "price": 100, "name": self.text("package")}],
            "status": "published",
        }
        headers = {"Idempotency-Key": self.word}
        answer = person.http.post("/api/listings", json=listing, headers=headers)
        assert answer.status_code == 201, answer.text

    # ---- searching ----

    def found(self) -> dict[str, list[str]]:
        """Where the word occurs: tables, keys of Redis, files."""
        places = {"tables": self._tables(), "redis": self._redis(), "files": self._files()}
        return {kind: sorted(names) for kind, names in places.items() if names}

    def _tables(self) -> set[str]:
        with self.stack.postgres.connect("cas") as connection:
            tables = connection.execute(TABLES).fetchall()
            return {f"{schema}.{table}" for schema, table in tables if self._in(connection, schema, table)}

    def _in(self, connection: Any, schema: str, table: str) -> bool:
        query = sql.SQL(
            "SELECT EXISTS (SELECT FROM {} AS t WHERE row_to_json(t)::text LIKE ANY (%s))"
        ).format(sql.Identifier(schema, table))
        signs = [f"%{self.word}%", f"%{self.word.encode().hex()}%"]
        return bool(connection.execute(query, [signs]).fetchone()[0])

    def _redis(self) -> set[str]:
        word = self.word.encode()
        found = set()
        for number in range(REDIS_DATABASES):
            with Redis.from_url(self.stack.servers["redis"].url(number)) as redis:
                for key in redis.scan_iter():
                    if word in key or word in b"\n".join(_content(redis, key)):
                        found.add(f"{number}: {key!r}")
        return found

    def _files(self) -> set[str]:
        return {str(file) for file in files(self.stack.data) if self.word.encode() in file.read_bytes()}


def files(data: Path) -> Iterator[Path]:
    """What the services themselves leave on disk: logs and stored files."""
    for file in data.rglob("*"):
        if file.is_file() and file.relative_to(data).parts[0] not in STORES:
            yield file


def _content(redis: Redis, key: bytes) -> Iterator[bytes]:
    """Everything below one key."""
    match redis.type(key):
        case b"string":
            yield redis.get(key) or b""
        case b"list":
            yield from redis.lrange(key, 0, -1)
        case b"set":
            yield from redis.smembers(key)
        case b"zset":
            yield from redis.zrange(key, 0, -1)
        case b"hash":
            yield from _flat(redis.hgetall(key))
        case b"stream":
            for _, fields in redis.xrange(key):
                yield from _flat(fields)


def _flat(fields: Mapping[bytes, bytes]) -> Iterator[bytes]:
    for name, value in fields.items():
        yield from (name, value)
