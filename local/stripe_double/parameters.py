"""Declared shapes of request parameters, and the refusals that Stripe gives for others.

Every operation declares all of its parameters. What is not declared is refused with
``parameter_unknown``, as Stripe does for names it does not know; names that Stripe knows and this
double does not model are refused as well, because ignoring one would make a test pass that the real
gateway fails. Codes: https://docs.stripe.com/error-codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from local.stripe_double.errors import invalid_parameter
from local.stripe_double.form import Raw

METADATA_KEYS_MAX = 50
METADATA_KEY_LENGTH_MAX = 40
METADATA_VALUE_LENGTH_MAX = 500


class Shape(Protocol):
    """Turns a raw form value into a typed one, or raises :class:`ApiError`."""

    def parse(self, raw: Raw, name: str) -> Any: ...


def _text(raw: Raw, name: str) -> str:
    if isinstance(raw, dict):
        raise invalid_parameter(f"Invalid string: {name} must be a string", name)
    return raw


def _not_empty(value: str, name: str) -> str:
    if value == "":
        raise invalid_parameter(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
            f"parameter; however '{name}' cannot be unset. You should remove '{name}' from your request "
            "or supply a non-empty value.",
            name,
            "parameter_invalid_empty",
        )
    return value


@dataclass(frozen=True, slots=True)
class Text:
    """A string. With ``unset`` an empty string clears the field (parsed as ``None``)."""

    length_max: int = 5000
    unset: bool = False

    def parse(self, raw: Raw, name: str) -> str | None:
        value = _text(raw, name)
        if value == "" and self.unset:
            return None
        _not_empty(value, name)
        if len(value) > self.length_max:
            raise invalid_parameter(
                f"Invalid string: {value[:10]}...{value[-4:]}; must be at most {self.length_max} characters",
                name,
            )
        return value


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number; amounts are in minor units and never fractional."""

    minimum: int | None = None
    maximum: int | None = None

    def parse(self, raw: Raw, name: str) -> int:
        value = _not_empty(_text(raw, name), name)
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise invalid_parameter(f"Invalid integer: {value}", name, "parameter_invalid_integer")
        number = int(value)
        if self.minimum is not None and number < self.minimum:
            raise invalid_parameter(
                f"This value must be greater than or equal to {self.minimum}.",
                name,
                "parameter_invalid_integer",
            )
        if self.maximum is not None and number > self.maximum:
            raise invalid_parameter(
                f"This value must be less than or equal to {self.maximum}.",
                name,
                "parameter_invalid_integer",
            )
        return number


@dataclass(frozen=True, slots=True)
class Boolean:
    """``true`` or ``false``, as the Stripe libraries encode them."""

    def parse(self, raw: Raw, name: str) -> bool:
        value = _text(raw, name)
        if value not in ("true", "false"):
            raise invalid_parameter(f"Invalid boolean: {value}", name)
        return value == "true"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a closed list of words."""

    words: tuple[str, ...]

    def parse(self, raw: Raw, name: str) -> str:
        value = _not_empty(_text(raw, name), name)
        if value not in self.words:
            raise invalid_parameter(f"Invalid {name}: must be one of {', '.join(self.words)}", name)
        return value


@dataclass(frozen=True, slots=True)
class Either:
    """A mapping or a boolean, or else the second shape."""

    first: Nested | Boolean
    second: Shape

    def parse(self, raw: Raw, name: str) -> Any:
        boolean = raw in ("true", "false")
        fits = isinstance(raw, dict) if isinstance(self.first, Nested) else boolean
        return (self.first if fits else self.second).parse(raw, name)


@dataclass(frozen=True, slots=True)
class Metadata:
    """Up to 50 keys of 40 characters with values of 500 (https://docs.stripe.com/api/metadata).

    An empty value removes its key and an empty ``metadata`` removes all; both are kept as parsed
    (``{"key": ""}`` and ``{}`` with ``None``) for :func:`merge_metadata`.
    """

    def parse(self, raw: Raw, name: str) -> dict[str, str] | None:
        if raw == "":
            return None
        if not isinstance(raw, dict):
            raise invalid_parameter("Invalid object", name)
        values: dict[str, str] = {}
        for key, value in raw.items():
            if isinstance(value, dict):
                raise invalid_parameter(
                    f"Invalid string: metadata values can't be nested ({name}[{key}])",
                    f"{name}[{key}]",
                )
            if len(key) > METADATA_KEY_LENGTH_MAX:
                raise invalid_parameter(
                    f"Metadata keys must be under {METADATA_KEY_LENGTH_MAX} characters; '{key}' has {len(key)}.",
                    name,
                )
            if len(value) > METADATA_VALUE_LENGTH_MAX:
                raise invalid_parameter(
                    f"Metadata values can have up to {METADATA_VALUE_LENGTH_MAX} characters, but you passed in a "
                    f"value that is {len(value)} characters. Invalid value: {value[:20]}...",
                    f"{name}[{key}]",
                )
            values[key] = value
        if len(values) > METADATA_KEYS_MAX:
            raise invalid_parameter(f"Metadata can have at most {METADATA_KEYS_MAX} keys.", name)
        return values


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one shape, sent as ``name[0]=…`` or ``name[]=…``."""

    item: Shape
    length_max: int = 100

    def parse(self, raw: Raw, name: str) -> list[Any]:
        if not isinstance(raw, dict) or not all(key.isascii() and key.isdigit() for key in raw):
            raise invalid_parameter("Invalid array", name)
        if len(raw) > self.length_max:
            raise invalid_parameter(f"Array {name} exceeded maximum {self.length_max} allowed elements.", name)
        ordered = sorted(raw.items(), key=lambda pair: int(pair[0]))
        return [self.item.parse(value, f"{name}[{index}]") for index, value in ordered]


@dataclass(frozen=True, slots=True)
class Nested:
    """A mapping with declared members; at the top level, the parameters of an operation."""

    members: Mapping[str, Shape]
    required: frozenset[str] = field(default_factory=frozenset)

    def parse(self, raw: Raw, name: str) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise invalid_parameter("Invalid object", name)
        self._refuse_unknown(raw, name)
        for member in sorted(self.required - raw.keys()):
            path = _member(name, member)
            raise invalid_parameter(f"Missing required param: {path}.", path, "parameter_missing")
        return {member: self.members[member].parse(value, _member(name, member)) for member, value in raw.items()}

    def _refuse_unknown(self, raw: Mapping[str, Raw], name: str) -> None:
        unknown = [_member(name, member) for member in raw if member not in self.members]
        if unknown:
            plural = "s" if len(unknown) > 1 else ""
            raise invalid_parameter(
                f"Received unknown parameter{plural}: {', '.join(unknown)}",
                unknown[0],
                "parameter_unknown",
            )


def _member(parent: str, member: str) -> str:
    return f"{parent}[{member}]" if parent else member


def fields(required: str = "", /, **members: Shape) -> Nested:
    """Shorthand: ``fields("amount currency", amount=Integer(), currency=Text(), …)``."""
    return Nested(members, frozenset(required.split()))


EXPAND = ListOf(Text(), length_max=20)
CREATED = Either(fields(gt=Integer(), gte=Integer(), lt=Integer(), lte=Integer()), Integer())


def object_fields(required: str = "", /, **members: Shape) -> Nested:
    """Parameters of an operation that answers with one object: ``expand`` is always allowed."""
    return Nested({"expand": EXPAND, **members}, frozenset(required.split()))


def list_fields(**filters: Shape) -> Nested:
    """Parameters of a list: paging, ``created`` and the list's own filters."""
    paging: dict[str, Shape] = {
        "expand": EXPAND,
        "limit": Integer(minimum=1, maximum=100),
        "starting_after": Text(),
        "ending_before": Text(),
        "created": CREATED,
    }
    return Nested(paging | filters)


def merge_metadata(current: Mapping[str, str], update: Mapping[str, str] | None) -> dict[str, str]:
    """Metadata after an update: keys are merged, an empty value removes one, ``None`` removes all."""
    if update is None:
        return {}
    merged = dict(current) | dict(update)
    return {key: value for key, value in merged.items() if value != ""}
