"""Requests that two servers could read differently are read by neither."""

import pytest

from .client import Client
from .upstream import Upstream

HEAD = b"POST /auth/v1/token HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: first\r\n"
SECOND = b"GET /api/taxonomy?smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
BODY = b"0\r\n\r\n"


def with_headers(*lines: bytes, body: bytes = BODY + SECOND) -> bytes:
    return HEAD + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


REFUSED = {
    "two lengths": with_headers(b"Content-Length: 5", b"Content-Length: 6"),
    "two lengths in one": with_headers(b"Content-Length: 5, 6"),
    "length and chunks": with_headers(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "chunks and length": with_headers(b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    "negative length": with_headers(b"Content-Length: -1"),
    "length with a sign": with_headers(b"Content-Length: +5"),
    "length in hex": with_headers(b"Content-Length: 0x5"),
    "length with junk": with_headers(b"Content-Length: 5x"),
    "length beyond all numbers": with_headers(b"Content-Length: 99999999999999999999999"),
    "unknown coding": with_headers(b"Transfer-Encoding: xchunked"),
    "identity coding": with_headers(b"Transfer-Encoding: identity", b"Content-Length: 5"),
    "two codings": with_headers(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    "chunked before another": with_headers(b"Transfer-Encoding: chunked, gzip"),
    "chunked twice": with_headers(b"Transfer-Encoding: chunked, chunked"),
    "coding with a vertical tab": with_headers(b"Transfer-Encoding: \x0bchunked"),
    "coding with a space before the colon": with_headers(b"Transfer-Encoding : chunked"),
    "length with a space before the colon": with_headers(b"Content-Length : 5"),
    "coding with an underscore": with_headers(b"Transfer_Encoding: chunked"),
    "length with an underscore": with_headers(b"Content_Length: 5"),
    "header without a colon": with_headers(b"Transfer-Encoding chunked"),
    "header with a null": with_headers(b"X-Thing: a\x00b"),
    "header name with a control character": with_headers(b"X-\x01Thing: a"),
    "chunk size no number": with_headers(b"Transfer-Encoding: chunked", body=b"zz\r\n" + SECOND),
    "chunk size negative": with_headers(b"Transfer-Encoding: chunked", body=b"-1\r\n\r\n" + SECOND),
    "chunk size beyond all numbers": with_headers(
        b"Transfer-Encoding: chunked", body=b"fffffffffffffffff1\r\n" + SECOND
    ),
    "chunk longer than it says": with_headers(
        b"Transfer-Encoding: chunked", body=b"1\r\nabc\r\n0\r\n\r\n" + SECOND
    ),
    "two hosts": HEAD + b"Host: evil.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "no host": b"GET /api/taxonomy HTTP/1.1\r\n\r\n",
    "space in the target": b"GET /api/tax onomy HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no version": b"GET /api/taxonomy\r\nHost: localhost\r\n\r\n",
    "unknown version": b"GET /api/taxonomy HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "method with junk": b"G\x00ET /api/taxonomy HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


REFUSALS = {400, 404, 426, 501, 505}
# Standards allow a gateway to write these anew in the one way they can be meant (RFC 9112 2.2 and 5.2).
REWRITTEN = {
    "length folded": with_headers(b"Content-Length:", b" 5"),
    "header folded": with_headers(b"Content-Length: 5", b"X-Thing: a", b" Transfer-Encoding: chunked"),
    "header folded with a tab": with_headers(b"Content-Length: 5", b"X-Thing: a", b"\tContent-Length: 50"),
    "header with a bare return": with_headers(
        b"Content-Length: 5", b"X-Thing: a\rTransfer-Encoding: chunked"
    ),
    "bare line feeds": with_headers(b"Content-Length: 5").replace(b"\r\n", b"\n", 2),
}


def test_there_are_enough_of_them() -> None:
    assert len(REFUSED) >= 20


@pytest.mark.parametrize("name", REFUSED)
def test_a_doubtful_request_is_refused_and_ends_the_connection(gateway: Client, name: str) -> None:
    answers = gateway.send_raw(REFUSED[name])
    assert [answer.status for answer in answers if answer.status not in REFUSALS] == []
    assert len(answers) <= 1


@pytest.mark.parametrize("name", REFUSED)
def test_none_of_it_reaches_a_service(gateway: Client, upstream: Upstream, name: str) -> None:
    gateway.send_raw(REFUSED[name])
    assert [request.target for request in upstream.received] == []


@pytest.mark.parametrize("name", REWRITTEN)
def test_a_crooked_request_is_refused_or_made_straight(
    gateway: Client, upstream: Upstream, name: str
) -> None:
    answers = gateway.send_raw(REWRITTEN[name])
    assert [answer.status for answer in answers] in ([200, 200], [400])
    assert len(upstream.received) == len([answer for answer in answers if answer.status == 200])
    for request in upstream.received:
        assert request.values("Transfer-Encoding") == []
        assert request.body == (BODY if request.method == "POST" else b"")


@pytest.mark.parametrize(
    "first",
    [
        with_headers(b"Content-Length: 5"),
        with_headers(b"Transfer-Encoding: chunked"),
        with_headers(b"Transfer-Encoding: Chunked"),
    ],
)
def test_two_clear_requests_are_two(gateway: Client, upstream: Upstream, first: bytes) -> None:
    assert [answer.status for answer in gateway.send_raw(first)] == [200, 200]
    assert [request.target for request in upstream.received] == ["/auth/v1/token", "/api/taxonomy?smuggled"]


def test_a_request_without_an_end_is_not_forwarded(gateway: Client, upstream: Upstream) -> None:
    gateway.send_raw(with_headers(b"Content-Length: 500", body=b"short"), patience=0.3)
    assert upstream.received == []


def test_too_many_headers_are_refused(gateway: Client) -> None:
    many = b"".join(b"X-%d: y\r\n" % number for number in range(2_000))
    assert [answer.status for answer in gateway.send_raw(HEAD + many + b"\r\n")] in ([400], [431], [494])


def test_a_huge_header_is_refused(gateway: Client) -> None:
    assert [answer.status for answer in gateway.send_raw(HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n")] in (
        [400],
        [431],
        [494],
    )
