"""A breach service for tests: the range API of Have I Been Pwned on a port of this machine."""

import threading
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class BreachService:
    """Knows the passwords it is given, and can fail, talk nonsense or never come to an end. A context manager."""

    def __init__(self, *passwords):
        self.digests = [
            sha1(password.encode(), usedforsecurity=False).hexdigest().upper() for password in passwords
        ]
        self.asked = []
        self.status = 200
        self.text = None
        self.endless = False
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}/range/"

    def answer(self, prefix):
        """The range of a prefix, with padding that must not count."""
        if self.text is not None:
            return self.text
        known = [f"{digest[5:]}:{3}" for digest in self.digests if digest.startswith(prefix)]
        return "\r\n".join([f"{'0' * 35}:0", *known, f"{'F' * 35}:0"])

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(service):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            service.asked.append((self.path, self.headers))
            body = service.answer(self.path.removeprefix("/range/")).encode()
            self.send_response(service.status)
            self.send_header("Content-Length", str(10**9 if service.endless else len(body)))
            self.end_headers()
            self.wfile.write(body)
            while service.endless and not service.closing.wait(0.02):
                try:
                    self.wfile.write(b"\r\n")
                except OSError:
                    break

        def log_message(self, *_):
            pass

    return Handler
