"""What pydantic finds wrong with a field, in words that say what to do about it."""

from collections.abc import Mapping
from typing import Any

_WHOLE_NUMBER = "must be a whole number"
_TRUE_OR_FALSE = "must be true or false"
_OBJECT = "must be an object"
_SENTENCES: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be a text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "bool_type": _TRUE_OR_FALSE,
    "bool_parsing": _TRUE_OR_FALSE,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "list_type": "must be a list",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "enum": "must be one of {expected}",
    "literal_error": "must be one of {expected}",
}


def sentence(found: Mapping[str, Any]) -> str:
    """The message of one of pydantic's error details, to follow the name of its field."""
    plain = _SENTENCES.get(found["type"])
    if plain is None:
        said: str = found["msg"]
        return said.removeprefix("Value error, ")
    return plain.format(**found.get("ctx", {}))
