"""The code of "Use supabase-js with CAS" does what the page says, block after block."""

import re
from uuid import uuid4

from tests.clients import node
from tests.clients.conftest import mailboxes

GUIDE = node.HERE.parents[1] / "docs" / "use-supabase-js.md"
BLOCK = re.compile(r"^```js\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# `console.log(a, b) // what it prints`
SHOWN = re.compile(r"^( *)console\.log\((.*)\) // (.*)$", re.MULTILINE)

SURROUNDINGS = "import { it, serviceToken, shownByTheApp, shows, typedByThePerson } from './guide.mjs'"


def script(blocks):
    """The page's blocks as the tests of one file; the first is for all, names of the others are their own."""
    first, *others = (SHOWN.sub(r"\1shows(`\3`, \2)", block) for block in blocks)
    steps = [f"it('block {number}', async () => {{\n{block}}})" for number, block in enumerate(others, 2)]
    return "\n".join([SURROUNDINGS, first, *steps])


def test_the_guide_does_what_it_says(stack, packages, service_token):
    blocks = BLOCK.findall(GUIDE.read_text())
    assert len(blocks) > 10
    text = script(blocks).replace("http://localhost:8000", stack.url)
    text = text.replace("@example.com", f"@{uuid4().hex}.example.com")
    environment = {"CAS_SERVICE_TOKEN": service_token, **mailboxes(stack)}
    node.run_text(text, environment, name=GUIDE.name)
