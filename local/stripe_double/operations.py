"""What an API operation is: a method, a path, the parameters that it knows and what it does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.stripe_double.parameters import Nested
from local.stripe_double.sandbox import Sandbox
from local.stripe_double.store import StripeObject


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an operation, parsed."""

    path: dict[str, str]
    params: dict[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        return self.params.get(name, default)

    def given(self, *names: str) -> dict[str, Any]:
        """The named parameters that the request carries."""
        return {name: self.params[name] for name in names if name in self.params}


type Handler = Callable[[Sandbox, Call], StripeObject]


@dataclass(frozen=True, slots=True)
class Operation:
    """An endpoint, with its path as Stripe's OpenAPI description spells it."""

    method: str
    path: str
    parameters: Nested
    handle: Handler
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        object.__setattr__(self, "pattern", re.compile(pattern))
