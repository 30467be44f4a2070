"""A service small enough to break at will: `service.py FOLDER NAME MODE serve|worker|migrate|show-settings`.

The folder is only there to recognise the process by.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("CAS_")}  # noqa: TID251


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/crash":
            print(json.dumps({"event": "asked_to_crash"}), flush=True)
            os._exit(7)
        answer = {"pid": os.getpid(), "settings": settings()}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    _folder, name, mode, verb = sys.argv[1:]
    print(json.dumps({"event": verb, "service": name}), flush=True)
    if mode == f"{verb}-fails":
        sys.exit(f"{name} cannot {verb}: the reason")
    if verb == "show-settings":
        print(json.dumps(settings()))
    if verb == "worker":
        print('{"event":"worker_started"}', flush=True)
        signal.pause()
    if verb == "serve":
        port = int(os.environ[f"CAS_{name.upper()}_REST_PORT"])  # noqa: TID251
        ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


main()
