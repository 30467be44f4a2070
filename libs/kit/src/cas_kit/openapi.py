"""What the OpenAPI documents of all services say alike: what a refusal looks like, and that none is a bare list."""

from typing import Any

from fastapi import FastAPI

PROBLEM_TYPE = "application/problem+json"

_TEXT = {"type": "string"}
_FIELD_PROBLEM = {
    "type": "object",
    "properties": {
        "field": {**_TEXT, "description": "A dotted path, such as `images.0.alt_text`."},
        "message": _TEXT,
        "code": _TEXT,
    },
    "required": ["field", "message", "code"],
}
PROBLEM = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457). Some codes bring members of their own, such as `version`.",
    "type": "object",
    "properties": {
        "type": {**_TEXT, "description": "A URI that stands for the code."},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": {**_TEXT, "description": "A sentence that may be shown to people as it is."},
        "message": {**_TEXT, "description": "The same as `detail`."},
        "error": {**_TEXT, "description": "The same as `detail`, where the existing web client reads it."},
        "code": {**_TEXT, "description": "Stable, for programs."},
        "instance": _TEXT,
        "request_id": _TEXT,
        "errors": {"type": "array", "items": _FIELD_PROBLEM, "description": "Every bad field, in order."},
    },
    "required": ["type", "title", "status", "detail", "message", "code", "instance", "request_id"],
}
"""What `cas_kit.problems.problem_response` writes."""

_CONTENT = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_LIST_OF_ERRORS = {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}
_PARTS_OF_THE_LIST = ("HTTPValidationError", "ValidationError")


class DocumentedApp(FastAPI):
    """An application whose document tells refusals as they are answered.

    A described refusal is a problem, unless its description names other content or, with `{}`, none. The list of errors
    that the framework adds for routes with parameters is left out: none of ours answers it.
    """

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        is_new = self.openapi_schema is None
        document = super().openapi()
        if is_new:
            _tell_refusals(document)
        return document


def _tell_refusals(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _PARTS_OF_THE_LIST:
        schemas.pop(name, None)
    for operation in operations:
        answers = operation["responses"]
        if answers.get("422", {}).get("content") == {"application/json": _LIST_OF_ERRORS}:
            del answers["422"]
        for status, answer in answers.items():
            if status.startswith(("4", "5")) and answer.setdefault("content", _CONTENT) is _CONTENT:
                schemas["Problem"] = PROBLEM
