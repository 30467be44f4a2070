"""A page in a real browser, on another origin, uses the unmodified browser build of supabase-js."""

import platform
import sys

import pytest
from tests.clients import node
from tests.clients.conftest import mailboxes

HAS_CHROMIUM = (sys.platform, platform.machine()) == ("linux", "x86_64")


@pytest.mark.skipif(not HAS_CHROMIUM, reason="@sparticuz/chromium is for Linux on x86-64")
def test_a_page_of_another_origin_works(run_js, stack, service_token, provider, tmp_path):
    run_js(
        "browser.mjs",
        CAS_PROVIDER=provider.issuer,
        CAS_SCREENSHOTS=str(tmp_path),
        CAS_SERVICE_TOKEN=service_token,
        TMPDIR=str(node.CHROMIUM),
        **mailboxes(stack),
    )
