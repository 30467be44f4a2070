"""Files of a service: in a local folder, or in anything that speaks S3 (docs/adr/0022).

A key is made by the server alone: `<area>/<owner>/<digest of the content>/<name>`. So whatever belongs to an owner can
be removed by prefix, and writing the same content again changes nothing. A write is complete or does not exist.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from cas_kit.errors import DomainError, Kind, Unavailable
from cas_kit.settings import StorageSettings

CONNECT_TIMEOUT, TIMEOUT = "1s", "5s"
MOST_RETRIES, RETRYING = 2, timedelta(seconds=5)
PROBE = "health/probe"
_KEY = re.compile(r"(?=.{1,512}\Z)[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
_SEPARATOR = "."  # of the parts of a link; stands in no base64


class ObjectNotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "object-not-found"
    sentence = "There is no such file."


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A file that is open for reading.

    :param chunks: its bytes, read as they are asked for.
    """

    size: int
    chunks: Iterator[bytes]


class Storage:
    """Where files are kept. Every method raises `Unavailable` when that cannot be reached.

    Safe to use from many threads. Make it after a process has forked: it has threads of its own.

    :param links_below: the address below which the service answers its own links to private files, for a store that
        knows none; they end with this object.
    """

    def __init__(self, store: LocalStore | S3Store, *, links_below: str = "") -> None:
        self._store = store
        self._links_below = links_below
        self._link_key = secrets.token_bytes(32)

    @classmethod
    def of(cls, settings: StorageSettings, *, links_below: str = "") -> "Storage":
        """The storage that the settings name; a local folder is made when it is missing."""
        address = urlsplit(settings.storage_url)
        if address.scheme == "s3":
            return cls(_s3(address.netloc, address.path.strip("/"), settings), links_below=links_below)
        folder = Path(unquote(address.path)).absolute()
        return cls(LocalStore(folder, mkdir=True, automatic_cleanup=True), links_below=links_below)

    def put(self, key: str, data: bytes) -> None:
        """Write a whole file; who reads it sees the one before or this one, never a part."""
        with _unavailable_when_it_fails():
            self._store.put(_checked(key), data)

    def get(self, key: str) -> bytes:
        """A whole file.

        :raises ObjectNotFound: there is none.
        """
        with _unavailable_when_it_fails():
            return bytes(self._store.get(_checked(key)).bytes())

    def open(self, key: str) -> StoredObject:
        """A file, to be streamed.

        :raises ObjectNotFound: there is none.
        """
        with _unavailable_when_it_fails():
            found = self._store.get(_checked(key))
            return StoredObject(found.meta["size"], (bytes(chunk) for chunk in found.stream()))

    def open_part(self, key: str, *, start: int, end: int) -> StoredObject:
        """The bytes of a file from `start` up to, but without, `end`.

        :raises ObjectNotFound: there is none.
        """
        with _unavailable_when_it_fails():
            found = self._store.get(_checked(key), options={"range": (start, end)})
            return StoredObject(end - start, (bytes(chunk) for chunk in found.stream()))

    def size(self, key: str) -> int:
        """How many bytes a file has.

        :raises ObjectNotFound: there is none.
        """
        with _unavailable_when_it_fails():
            return int(self._store.head(_checked(key))["size"])

    def exists(self, key: str) -> bool:
        """Whether there is such a file."""
        try:
            self.size(key)
        except ObjectNotFound:
            return False
        return True

    def list_prefix(self, prefix: str) -> list[str]:
        """The keys below a prefix that ends where a segment does: `a/b` has `a/b/c`, not `a/bc`."""
        with _unavailable_when_it_fails():
            return sorted(each["path"] for page in self._store.list(_checked(prefix)) for each in page)

    def delete(self, key: str) -> None:
        """Remove a file; fine when there is none."""
        with _unavailable_when_it_fails():
            try:
                self._store.delete(_checked(key))
            except FileNotFoundError:
                return

    def delete_prefix(self, prefix: str) -> int:
        """Remove every file below a prefix; returns how many there were. Safe to repeat."""
        keys = self.list_prefix(prefix)
        for key in keys:
            self.delete(key)
        return len(keys)

    def check(self) -> None:
        """Prove that a file can be written and read.

        :raises Unavailable: it cannot.
        """
        self.put(PROBE, PROBE.encode())
        if self.get(PROBE) != PROBE.encode():
            raise Unavailable

    # ---- links to private files ----

    def link(self, key: str, *, now: datetime, lasts: timedelta) -> str:
        """An address at which anybody can read this file for a while."""
        if isinstance(self._store, S3Store):
            with _unavailable_when_it_fails():
                return obstore.sign(self._store, "GET", _checked(key), lasts)
        promise = f"{int((now + lasts).timestamp())}:{_checked(key)}".encode()
        return f"{self._links_below}{_packed(promise)}{_SEPARATOR}{_packed(self._signature(promise))}"

    def linked_key(self, link: str, *, now: datetime) -> str:
        """The key of the last segment of a link that `link` made.

        :raises ObjectNotFound: nobody made it, or its time is over.
        """
        try:
            promise, signature = (_unpacked(part) for part in link.split(_SEPARATOR))
        except ValueError as error:
            raise ObjectNotFound from error
        if not hmac.compare_digest(signature, self._signature(promise)):
            raise ObjectNotFound
        expires, _, key = promise.decode().partition(":")
        if now.timestamp() >= int(expires):
            raise ObjectNotFound
        return key

    def _signature(self, promise: bytes) -> bytes:
        return hmac.digest(self._link_key, promise, sha256)


def _checked(key: str) -> str:
    """A key as the server makes them, without a way up or anything a file system reads otherwise.

    :raises ValueError: it was made of something a client sent, unchecked.
    """
    if not _KEY.fullmatch(key):
        raise ValueError("not a key of ours")
    return key


def _s3(bucket: str, prefix: str, settings: StorageSettings) -> S3Store:
    secret, endpoint = settings.storage_secret_access_key, settings.storage_endpoint
    optional: dict[str, Any] = {
        "endpoint": str(endpoint).rstrip("/") if endpoint else None,
        "access_key_id": settings.storage_access_key_id,
        "secret_access_key": secret.get_secret_value() if secret else None,
    }
    return S3Store(
        bucket,
        prefix=prefix or None,
        region=settings.storage_region,
        client_options={
            "connect_timeout": CONNECT_TIMEOUT,
            "timeout": TIMEOUT,
            "allow_http": bool(endpoint and endpoint.scheme == "http"),
        },
        retry_config={"max_retries": MOST_RETRIES, "retry_timeout": RETRYING},
        **{name: value for name, value in optional.items() if value is not None},
    )


@contextmanager
def _unavailable_when_it_fails() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectNotFound from error
    except (BaseError, OSError) as error:
        raise Unavailable from error


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
