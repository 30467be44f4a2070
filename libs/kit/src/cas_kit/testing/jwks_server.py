"""An issuer's address for tests: publishes keys, or any other document, over HTTP."""

import json
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from cas_kit.testing.certificates import Files


class JwksServer:
    """Publishes `document` at every path, counts how often it is asked, and can hold back, fail or talk nonsense.

    A context manager; it serves from the moment it is made.

    :param certificate: for https
    """

    def __init__(self, *keys: Mapping[str, Any], certificate: Files | None = None) -> None:
        self.document: Any = {"keys": list(keys)}
        self.status = 200
        self.asked: list[str] = []
        self.answering = threading.Event()
        self.answering.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.rpc_certificate_file, certificate.rpc_key_file)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens, as an issuer names itself."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def publish(self, *keys: Mapping[str, Any]) -> None:
        """Publish these keys instead."""
        self.document = {"keys": list(keys)}

    def close(self) -> None:
        """Stop serving; harmless when it stopped before."""
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _handler(outer: JwksServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            outer.asked.append(self.path)
            outer.answering.wait(10)
            body = json.dumps(outer.document).encode()
            self.send_response(outer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    return Handler
