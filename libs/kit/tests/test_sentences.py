"""Every refusal of a field says what would be accepted."""

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AfterValidator, BaseModel, Field, StrictBool, StrictInt, TypeAdapter, ValidationError

from cas_kit.sentences import sentence


class Thing(BaseModel):
    name: str


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def refuse(value: Any) -> Any:
    raise ValueError("must rhyme")


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (Thing, {}, "is required"),
        (Thing, [], "must be an object"),
        (str, 5, "must be a text"),
        (Annotated[str, Field(min_length=3)], "ab", "must have at least 3 characters"),
        (Annotated[str, Field(max_length=3)], "abcd", "must have at most 3 characters"),
        (int, "x", "must be a whole number"),
        (int, 1.5, "must be a whole number"),
        (StrictInt, "1", "must be a whole number"),
        (float, "x", "must be a number"),
        (float, [], "must be a number"),
        (Annotated[int, Field(gt=3)], 3, "must be more than 3"),
        (Annotated[int, Field(ge=1)], 0, "must be 1 or more"),
        (Annotated[int, Field(lt=3)], 3, "must be less than 3"),
        (Annotated[int, Field(le=5)], 6, "must be 5 or less"),
        (bool, "x", "must be true or false"),
        (StrictBool, "true", "must be true or false"),
        (dict[str, int], [], "must be an object"),
        (list[int], {}, "must be a list"),
        (Annotated[list[int], Field(min_length=1)], [], "must have at least 1 items"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "must have at most 1 items"),
        (UUID, "x", "must be a UUID"),
        (UUID, 5, "must be a UUID"),
        (Colour, "green", "must be one of 'red' or 'blue'"),
        (Literal["a", "b"], "c", "must be one of 'a' or 'b'"),
        (Annotated[str, AfterValidator(refuse)], "x", "must rhyme"),
    ],
)
def test_says_what_would_be_accepted(kind, value, said):
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(value)
    assert [sentence(found) for found in refused.value.errors()] == [said]
