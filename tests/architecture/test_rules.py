"""Rules of the code that no type checker and no linter knows."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.records import AgendaIndex, ListingIndex, OpenIndex, Record

ROOT = Path(__file__).resolve().parents[2]
REMIT = ROOT / "layers/shared/remit"
PRODUCT = sorted([*REMIT.rglob("*.py"), *(ROOT / "functions").rglob("*.py")])
DOMAIN = sorted((REMIT / "domain").glob("*.py"))
MAX_LINES = 70


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


# Money


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_postings_are_made_in_posting_rules_only(path: Path) -> None:
    """An accountant reads one file. Mapping makes them again from what is stored, and nothing else does."""
    if path in (REMIT / "domain/posting_rules.py", REMIT / "adapters/dynamodb/mapping.py"):
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            assert called not in ("Posting", "EntryDraft"), f"{name(path)}:{node.lineno} makes a posting"


@pytest.mark.parametrize("path", DOMAIN, ids=name)
def test_no_float_comes_near_money(path: Path) -> None:
    for node in ast.walk(tree(path)):
        is_float = isinstance(node, ast.Constant) and isinstance(node.value, float)
        names_float = isinstance(node, ast.Name) and node.id == "float"
        divides = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and "Decimal" not in ast.unparse(node)
        where = f"{name(path)}:{getattr(node, 'lineno', 0)}"
        assert not is_float, f"{where} has a float"
        assert not names_float, f"{where} names float"
        assert not divides or "rate" in ast.unparse(node) or "whole" in ast.unparse(node), f"{where} divides: {ast.unparse(node)}"


@pytest.mark.parametrize("path", DOMAIN, ids=name)
def test_the_domain_has_no_clock(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert not called.endswith((".now", ".today", ".utcnow", "time.time")) or called == "firm.today", (
                f"{name(path)}:{node.lineno} asks {called}()"
            )


# Keys


def is_key(text: str) -> bool:
    """`A#…`, `L#entry#…`: what the table's keys begin with."""
    return len(text) > 1 and text[0].isupper() and text[1] == "#"


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_keys_are_spelled_in_one_module(path: Path) -> None:
    if path == REMIT / "adapters/dynamodb/keys.py":
        return
    for node in ast.walk(tree(path)):
        first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            assert not is_key(first.value), f"{name(path)}:{first.lineno} spells a key: {first.value!r}"


def test_the_templates_table_is_the_one_that_the_records_describe() -> None:
    """Keys and projections of the indexes, in template and code. Without `type` a query through PynamoDB finds nothing."""
    properties = template()["Resources"]["Table"]["Properties"]
    described = {
        keys.AGENDA_INDEX: (AgendaIndex, "agenda_pk", "agenda_at"),
        keys.OPEN_INDEX: (OpenIndex, "open_pk", "open_sk"),
        keys.LISTING_INDEX: (ListingIndex, "list_pk", "list_sk"),
    }
    deployed = {index["IndexName"]: index for index in properties["GlobalSecondaryIndexes"]}
    assert set(deployed) == set(described)
    for index_name, (index, pk, sk) in described.items():
        assert [key["AttributeName"] for key in deployed[index_name]["KeySchema"]] == [pk, sk]
        projection = deployed[index_name]["Projection"]
        assert projection["ProjectionType"] == "INCLUDE"
        assert set(projection["NonKeyAttributes"]) == set(index.Meta.projection.non_key_attributes)
        assert "type" in projection["NonKeyAttributes"]
    assert properties["TimeToLiveSpecification"]["AttributeName"] == "expires_at"
    assert {attribute.attr_name for attribute in Record.get_attributes().values()} >= {"PK", "SK", "type", "version"}


def template() -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: str(node.value))
    found: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506 - our own file, safe loader
    return found


# Shape


@pytest.mark.parametrize("path", [path for path in PRODUCT if path.name == "__init__.py"], ids=name)
def test_init_files_are_empty(path: Path) -> None:
    assert path.read_text() == ""


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_functions_fit_on_a_screen(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MAX_LINES, f"{name(path)}: {node.name} has {lines} lines"


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_exceptions_are_named_errors(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases):
            assert node.name.endswith("Error"), f"{name(path)}: {node.name}"


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_every_module_of_the_core_says_what_it_is_for(path: Path) -> None:
    if path.name == "__init__.py" or not {"domain", "usecases"} & set(path.parts):
        return
    assert ast.get_docstring(tree(path)), name(path)
