"""A page in a real browser, on another origin, uses the unmodified browser build of supabase-js."""

import platform
import sys

import pytest
from tests.clients import node

HAS_CHROMIUM = (sys.platform, platform.machine()) == ("linux", "x86_64")


@pytest.mark.skipif(not HAS_CHROMIUM, reason="@sparticuz/chromium is for Linux on x86-64")
def test_a_page_of_another_origin_works(run_js, tmp_path):
    run_js("browser.mjs", TMPDIR=str(node.CHROMIUM), CAS_SCREENSHOTS=str(tmp_path))
