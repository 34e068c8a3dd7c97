"""Answers as pydantic objects: the JSON schema to ask with, and the validator of what comes back.

>>> import pydantic
>>> class Rating(pydantic.BaseModel):
...     harm: int
>>> request_schema(Rating)["required"]
['harm']
>>> validator(Rating)('Here it is: {"harm": 3}')
Rating(harm=3)

``client.run([ChatRequest(…, schema=request_schema(Rating))], validate=validator(Rating))``
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from pluristats.errors import LLMError

if TYPE_CHECKING:
    import pydantic

T = TypeVar("T", bound="pydantic.BaseModel")


def request_schema(model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """JSON schema of a pydantic model in the strict form that endpoints ask for.

    Every object names all its properties as required and allows no others; defaults are left out. It is a function of
    the model's fields, so adding one changes the keys of the requests that carry it.

    Raises
    ------
    LLMError
        When the model's JSON is no object, or holds a free mapping, which strict schemas cannot say.
    """
    schema = _strict(model.model_json_schema(), model.__name__)
    if schema.get("type") != "object":
        raise LLMError(f"{model.__name__} is no JSON object; endpoints want one, so put the list into a field")
    return schema


def _strict(part: Any, name: str) -> Any:
    if isinstance(part, list):
        return [_strict(item, name) for item in part]
    if not isinstance(part, dict):
        return part
    # Below "properties" and "$defs" the keys are names, not words of the schema.
    named = {key: {n: _strict(v, name) for n, v in part[key].items()} for key in ("properties", "$defs") if key in part}
    out = {key: _strict(value, name) for key, value in part.items() if key not in (*named, "default")} | named
    if out.get("type") == "object":
        if "properties" not in out:
            raise LLMError(f"{name} holds a free mapping, which a strict schema cannot say; use a list of pairs")
        out |= {"required": list(out["properties"]), "additionalProperties": False}
    return out


def validator(model: type[T]) -> Callable[[str], T]:
    """A function from an answer's text to the object, for `ChatClient.run`.

    The JSON may stand in a fenced block or among other words; the first that is JSON of the right form counts.

    Parameters
    ----------
    model
        What the JSON must fit.

    Returns
    -------
    A function that raises ValueError (pydantic's ValidationError where the JSON can be read) when the text does not
    fit.
    """

    def validate(text: str) -> T:
        problem: ValueError | None = None
        for content in jsons(text):
            try:
                return model.model_validate(content)
            except ValueError as error:
                problem = problem or error
        raise problem or ValueError("there is no JSON in the answer")

    return validate


def jsons(text: str) -> Iterator[Any]:
    """Every JSON object or list that a text may mean: all of it, fenced blocks, first bracket to last."""
    candidates = [text, *re.findall(r"```(?:json)?\s*\n(.*?)```", text, re.S)]
    candidates += [text[text.find(a) : text.rfind(b) + 1] for a, b in ("{}", "[]")]
    for candidate in candidates:
        try:
            content = json.loads(candidate, parse_constant=_no_number)
        except (ValueError, RecursionError):
            continue
        if isinstance(content, dict | list):
            yield content


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
