"""A database with the `auth` schema of a Supabase project, as far as an export shows it, and some users in it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

TABLES = """
DROP SCHEMA IF EXISTS auth CASCADE;
CREATE SCHEMA auth;
CREATE TABLE auth.users (
    instance_id uuid, id uuid NOT NULL PRIMARY KEY, aud varchar(255), role varchar(255), email varchar(255),
    encrypted_password varchar(255), email_confirmed_at timestamptz, invited_at timestamptz,
    confirmation_token varchar(255), confirmation_sent_at timestamptz, recovery_token varchar(255),
    recovery_sent_at timestamptz, email_change_token_new varchar(255), email_change varchar(255),
    email_change_sent_at timestamptz, last_sign_in_at timestamptz, raw_app_meta_data jsonb, raw_user_meta_data jsonb,
    is_super_admin boolean, created_at timestamptz, updated_at timestamptz, phone text, phone_confirmed_at timestamptz,
    phone_change text DEFAULT '', phone_change_token varchar(255) DEFAULT '', phone_change_sent_at timestamptz,
    confirmed_at timestamptz GENERATED ALWAYS AS (LEAST(email_confirmed_at, phone_confirmed_at)) STORED,
    email_change_token_current varchar(255) DEFAULT '', email_change_confirm_status smallint DEFAULT 0,
    banned_until timestamptz, reauthentication_token varchar(255) DEFAULT '', reauthentication_sent_at timestamptz,
    is_sso_user boolean NOT NULL DEFAULT false, deleted_at timestamptz, is_anonymous boolean NOT NULL DEFAULT false
);
CREATE TABLE auth.identities (
    provider_id text NOT NULL, user_id uuid NOT NULL, identity_data jsonb NOT NULL, provider text NOT NULL,
    last_sign_in_at timestamptz, created_at timestamptz, updated_at timestamptz,
    email text GENERATED ALWAYS AS (lower(identity_data ->> 'email')) STORED,
    id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, UNIQUE (provider_id, provider)
);
CREATE TABLE auth.mfa_factors (
    id uuid NOT NULL PRIMARY KEY, user_id uuid NOT NULL, friendly_name text, factor_type text NOT NULL,
    status text NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, secret text, phone text,
    last_challenged_at timestamptz, web_authn_credential jsonb, web_authn_aaguid uuid
);
"""


class SupabaseProject:
    """What the tests put into such a database."""

    def __init__(self, url: str) -> None:
        self.url = url
        with self._connected() as connection:
            connection.execute(TABLES)

    def add_user(self, user_id: UUID, email: str | None, **columns: Any) -> None:
        """A user who signed up with an address, and their identity."""
        at = columns.pop("at", "2025-06-01 12:00:00+00")
        said = {
            "aud": "authenticated",
            "role": "authenticated",
            "confirmation_token": "",
            "email_confirmed_at": at,
            "raw_app_meta_data": {"provider": "email", "providers": ["email"]},
            "raw_user_meta_data": {},
            "created_at": at,
            "updated_at": at,
        }
        self.insert("users", id=user_id, email=email, **{**said, **columns})
        if email is not None:
            data = {"sub": str(user_id), "email": email, "email_verified": True, "phone_verified": False}
            self.add_identity(user_id, "email", str(user_id), data, at=at)

    def add_identity(
        self,
        user_id: UUID,
        provider: str,
        provider_id: str,
        data: Mapping[str, Any],
        *,
        at: str = "2025-06-01 12:00:00+00",
    ) -> None:
        """One way this user signs in."""
        self.insert(
            "identities",
            user_id=user_id,
            provider=provider,
            provider_id=provider_id,
            identity_data=data,
            created_at=at,
            updated_at=at,
            last_sign_in_at=at,
        )

    def insert(self, table: str, **columns: Any) -> None:
        """One row."""
        values = [Jsonb(value) if isinstance(value, dict) else value for value in columns.values()]
        places = ", ".join(["%s"] * len(columns))
        self.run(f"INSERT INTO auth.{table} ({', '.join(columns)}) VALUES ({places})", values)

    def run(self, statement: str, values: Any = None) -> None:
        """Change something."""
        with self._connected() as connection:
            connection.execute(statement, values)

    def export(self, query: str, options: str) -> bytes:
        """What `COPY` writes."""
        statement = f"COPY ({query}) TO STDOUT WITH ({options})"
        with self._connected() as connection, connection.cursor().copy(statement) as copy:
            return b"".join(copy)

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)
