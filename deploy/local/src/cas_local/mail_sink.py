"""Where mails end on one machine: a page that shows them."""

import sys
from pathlib import Path

from cas_local.http_server import HttpServer
from cas_local.ports import HOST, Ports
from cas_local.process import Process
from cas_local.settings import inherited


def mail_sink(ports: Ports, *, log: Path) -> HttpServer:
    """Give the mail sink, not started."""
    command = [sys.executable, "-m", "cas_local.mail.sink"]
    process = Process(
        "mail",
        [*command, f"--smtp-port={ports.smtp}", f"--page-port={ports.mail}"],
        log=log,
        environment=inherited("CAS_MAIL_"),
    )
    return HttpServer(process, health_url=f"http://{HOST}:{ports.mail}/health")
