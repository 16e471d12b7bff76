"""The data side of the Amazon States Language: paths, payload templates, intrinsic functions, and the rules of a choice.

As much of it as the definitions in `statemachines/` speak. What is not here is refused with `NotKnownError`, before anything
runs.
Source: https://states-language.net and the Step Functions developer guide (JSONPath).
"""

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

type Json = Any
"""JSON data: nothing here changes a value in place."""

_PATH = re.compile(r"\$\$?(?:\.[A-Za-z_]\w*|\[\d+\])*")
_PIECE = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_CALL = re.compile(r"(States\.\w+)\((.*)\)", re.DOTALL)
_ARGUMENT = re.compile(r"\s*('(?:[^'\\]|\\.)*'|[^,']+)\s*(?:,|$)")


class NotKnownError(Exception):
    """A definition says something that is not understood here."""


class StatesError(Exception):
    """An error as a state machine sees it: a name for `ErrorEquals`, and a cause for people."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause

    def facts(self) -> dict[str, str]:
        """What a `Catch` puts at its `ResultPath`."""
        return {"Error": self.error, "Cause": self.cause}


# ---- Paths -------------------------------------------------------------------------------------------------------------


def require_path(path: str) -> None:
    """`NotKnownError` for a path with anything but names and numbers: filters, slices, wildcards."""
    if not _PATH.fullmatch(path):
        raise NotKnownError(f"the path {path!r}")


def at(path: str, data: Json, context: Json = None, *, error: str = "States.Runtime") -> Json:
    """What lies at `$.a.b[0]` of the data, or at `$$.a` of the context object. `StatesError` when nothing does."""
    require_path(path)
    found = context if path.startswith("$$") else data
    for name, index in _PIECE.findall(path):
        try:
            found = found[name] if name else found[int(index)]
        except (KeyError, IndexError, TypeError):
            raise StatesError(error, f"there is nothing at {path}") from None
    return found


def placed(data: Json, path: str | None, value: Json) -> Json:
    """The data with `value` put at a `ResultPath`: all of it for `$`, unchanged for null."""
    if path is None:
        return data
    require_path(path)
    names = [name for name, _ in _PIECE.findall(path)]
    if path.startswith("$$") or not all(names):
        raise NotKnownError(f"the ResultPath {path!r}")
    return _put(data, names, value, path)


def _put(data: Json, names: list[str], value: Json, path: str) -> Json:
    if not names:
        return value
    if not isinstance(data, dict):
        raise StatesError("States.ResultPathMatchFailure", f"{path} does not lead into an object")
    return {**data, names[0]: _put(data.get(names[0], {}), names[1:], value, path)}


# ---- Payload templates -------------------------------------------------------------------------------------------------


def filled(template: Json, data: Json, context: Json) -> Json:
    """A template (`Parameters`, `ResultSelector`…) with each `"name.$"` replaced by what its path or function gives."""
    if isinstance(template, list):
        return [filled(each, data, context) for each in template]
    if not isinstance(template, dict):
        return template
    made = {}
    for name, value in template.items():
        if name.endswith(".$"):
            made[name[:-2]] = _evaluated(value, data, context)
        else:
            made[name] = filled(value, data, context)
    return made


def require_template(template: Json) -> None:
    """`NotKnownError` unless every path and function in the template is known."""
    if isinstance(template, list):
        for each in template:
            require_template(each)
    elif isinstance(template, dict):
        for name, value in template.items():
            if name.endswith(".$"):
                _require_expression(value)
            else:
                require_template(value)


def _require_expression(text: str) -> None:
    call = _CALL.fullmatch(text)
    if call is None:
        require_path(text)
        return
    if call[1] not in INTRINSICS:
        raise NotKnownError(f"the function {call[1]}: a row of INTRINSICS would make it known")
    for argument in _arguments(call[2]):
        if argument.startswith(("$", "States.")):
            _require_expression(argument)


def _evaluated(text: str, data: Json, context: Json) -> Json:
    call = _CALL.fullmatch(text)
    if call is None:
        return at(text, data, context, error="States.ParameterPathFailure")
    arguments = [_argument(each, data, context) for each in _arguments(call[2])]
    try:
        return INTRINSICS[call[1]](*arguments)
    except (TypeError, ValueError, IndexError) as failure:
        raise StatesError("States.IntrinsicFailure", f"{text}: {failure}") from failure


def _arguments(text: str) -> list[str]:
    found = [match[1].strip() for match in _ARGUMENT.finditer(text)] if text.strip() else []
    if any("(" in each and not each.startswith("'") for each in found):
        raise NotKnownError(f"a function within a function: {text}")
    return found


def _argument(text: str, data: Json, context: Json) -> Json:
    if text.startswith("$"):
        return at(text, data, context, error="States.ParameterPathFailure")
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith("'") else json.loads(text)


def _format(template: str, *values: Json) -> str:
    pieces = template.split("{}")
    if len(pieces) != len(values) + 1:
        raise ValueError(f"{len(pieces) - 1} places for {len(values)} values")
    texts = [value if isinstance(value, str) else compact(value) for value in values]
    return "".join(piece + text for piece, text in zip(pieces, [*texts, ""], strict=True))


INTRINSICS: Mapping[str, Callable[..., Json]] = {
    "States.Array": lambda *values: list(values),
    "States.ArrayLength": len,
    "States.Format": _format,
    "States.JsonToString": lambda value: compact(value),
    "States.MathAdd": operator.add,
    "States.StringToJson": json.loads,
}


def compact(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# ---- Choices -----------------------------------------------------------------------------------------------------------


def _number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Json], bool]] = {
    "String": lambda value: isinstance(value, str),
    "Numeric": _number,
    "Boolean": lambda value: isinstance(value, bool),
}
_ORDERS: Mapping[str, Callable[[Json, Json], bool]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}
COMPARISONS = {f"{type}{order}": (_TYPES[type], compare) for type in _TYPES for order, compare in _ORDERS.items()}
"""`NumericGreaterThan` → (what it compares, how). Values of another type compare as false."""

TESTS: Mapping[str, Callable[[Json], bool]] = {"IsNull": lambda value: value is None} | {
    f"Is{type}": check for type, check in _TYPES.items()
}
"""`IsNull: true` or `false`, and the like. `IsPresent` is the only one that may look at nothing."""


def holds(rule: Mapping[str, Json], data: Json, context: Json) -> bool:
    """Whether a rule of a `Choice` holds."""
    if "And" in rule:
        return all(holds(each, data, context) for each in rule["And"])
    if "Or" in rule:
        return any(holds(each, data, context) for each in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], data, context)
    ((name, wanted),) = _comparison(rule)
    if name == "IsPresent":
        return _is_there(rule["Variable"], data, context) is wanted
    value = at(rule["Variable"], data, context)
    if name in TESTS:
        return TESTS[name](value) is wanted
    if name.endswith("Path"):
        name, wanted = name.removesuffix("Path"), at(wanted, data, context)
    is_type, compare = COMPARISONS[name]
    return is_type(value) and is_type(wanted) and compare(value, wanted)


def _is_there(path: str, data: Json, context: Json) -> bool:
    try:
        at(path, data, context)
    except StatesError:
        return False
    return True


def _comparison(rule: Mapping[str, Json]) -> list[tuple[str, Json]]:
    return [(name, wanted) for name, wanted in rule.items() if name not in ("Variable", "Next", "Comment")]


def require_rule(rule: Mapping[str, Json]) -> None:
    """`NotKnownError` unless the rule can be decided here."""
    for name in ("And", "Or", "Not"):
        if name in rule:
            for each in rule[name] if isinstance(rule[name], list) else [rule[name]]:
                require_rule(each)
            return
    require_path(rule["Variable"])
    known = {"IsPresent", *TESTS, *COMPARISONS, *(f"{name}Path" for name in COMPARISONS)}
    names = [name for name, _ in _comparison(rule)]
    if len(names) != 1 or names[0] not in known:
        raise NotKnownError(f"the choice rule {names}")
