"""A hook that does what a test tells it to."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

JSON = "application/json; charset=utf-8"


class Answers:
    """What the hook says, one after the other, the last one for ever; and what it was asked."""

    def __init__(self):
        self.requests = []
        self._script = []
        self.release = threading.Event()

    def say(self, status=200, body=b"{}", content_type=JSON, **how):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._script.append(SimpleNamespace(status=status, body=raw, content_type=content_type, **how))

    def next(self):
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        answers = self.server.answers
        content = self.rfile.read(int(self.headers["Content-Length"]))
        answers.requests.append((dict(self.headers), content))
        answer = answers.next()
        if hasattr(answer, "hang"):
            answers.release.wait(30)
        if hasattr(answer, "drop"):
            self.close_connection = True
            return
        self.send_response(answer.status)
        if answer.content_type:
            self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if hasattr(answer, "dawdle"):
            self._dawdle(answer.body)
        else:
            self.wfile.write(answer.body)

    def _dawdle(self, body):
        for byte in body:
            if self.server.answers.release.wait(0.05):
                return
            self.wfile.write(bytes([byte]))

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    """A running hook; `answers` is what it says, `url` where it is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None
        server.answers = Answers()
        server.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.answers.release.set()
        server.shutdown()
        thread.join()
