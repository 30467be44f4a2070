"""The pages a browser shows on its way through this service."""

from html import escape
from urllib.parse import urlsplit

from fastapi import Response

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark;
  --text: #0f172a; --soft: #475569; --back: #f8fafc; --card: #ffffff; --line: #e2e8f0 }}
@media (prefers-color-scheme: dark) {{
  :root {{ --text: #f1f5f9; --soft: #94a3b8; --back: #0f172a; --card: #1e293b; --line: #334155 }}
}}
* {{ box-sizing: border-box }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; background: var(--back);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif }}
main {{ width: 100%; max-width: 400px; padding: 32px; background: var(--card); border: 1px solid var(--line);
  border-radius: 16px }}
h1 {{ margin: 0 0 8px; font-size: 22px; line-height: 1.3 }}
p {{ margin: 0 0 24px; color: var(--soft) }}
button {{ width: 100%; min-height: 48px; border: 0; border-radius: 12px; background: #0f766e; color: #ffffff;
  font: inherit; font-weight: 600; cursor: pointer }}
button:hover {{ background: #115e59 }}
button:focus-visible {{ outline: 3px solid #2dd4bf; outline-offset: 2px }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
<form method="post" action="{action}"><button type="submit" autofocus>{button}</button></form>
</main>
</body>
</html>
"""


def button_page(*, title: str, text: str, button: str, action: str, leads_to: str) -> Response:
    """A page with one button, which no program presses that only follows links.

    :param action: where the button posts to.
    :param leads_to: where the browser is sent after that; browsers hold this too against the page's policy.
    """
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {_source_of(leads_to)}"
    )
    page = _PAGE.format(title=escape(title), text=escape(text), button=escape(button), action=escape(action))
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
    return Response(page, headers=headers, media_type="text/html")


def _source_of(address: str) -> str:
    """The address as a policy names it: an app's scheme has no hosts there (CSP 3, 6.7.2.8)."""
    target = urlsplit(address)
    return f"{target.scheme}://{target.netloc}" if target.scheme in {"http", "https"} else f"{target.scheme}:"
