"""The README's quickstart does what the README says."""

import json
import re
import subprocess
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SEPARATOR = "----- next command -----"


def quickstart():
    section = README.read_text().partition("## Quickstart")[2].partition("\n## ")[0]
    blocks = BLOCK.findall(section)
    assert [kind for kind, _ in blocks] == ["sh", "json"] * (len(blocks) // 2)
    texts = [text for _, text in blocks]
    return list(zip(texts[::2], texts[1::2], strict=True))


def assert_answers(actual, documented):
    """Every documented member is there with its value; `"...": "..."` stands for members left out."""
    if not isinstance(documented, dict):
        assert actual == documented
        return
    shown = {name: value for name, value in documented.items() if name != "..."}
    assert shown.keys() <= actual.keys()
    if len(shown) == len(documented):
        assert shown.keys() == actual.keys()
    for name, value in shown.items():
        assert_answers(actual[name], value)


def test_the_quickstart_answers_as_documented(stack, tmp_path):
    steps = quickstart()
    script = f"\necho; echo '{SEPARATOR}'\n".join(command for command, _ in steps)
    script = script.replace("http://localhost:8000", stack.url)
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    answers = run.stdout.split(SEPARATOR)
    assert len(answers) == len(steps) > 5
    for answer, (_, documented) in zip(answers, steps, strict=True):
        assert_answers(json.loads(answer), json.loads(documented))
