"""In what form the code stores things: a fingerprint, by which a local stack knows data that another version has left.

Read from the sources, which need not be importable here: all code of the modules that make items, and of the domain's classes
the fields with their types and defaults. Comments, docstrings and rules may change freely. It is too careful rather than too lax:
a field that is added would do no harm to what is stored, and still counts.
"""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

REMIT = Path(__file__).resolve().parent.parent / "layers" / "shared" / "remit"
MAKE_ITEMS = (
    "adapters/dynamodb/deflate.py",
    "adapters/dynamodb/entry_facts.py",
    "adapters/dynamodb/keys.py",
    "adapters/dynamodb/mapping.py",
    "adapters/dynamodb/records.py",
    "domain/journal.py",  # the canonical facts of an entry, which its hash is of
)
DICTIONARIES = "adapters/dynamodb/*.b85"
HAVE_FIELDS = ("domain/*.py", "usecases/guards.py")


def fingerprint(remit: Path = REMIT) -> str:
    """Of the forms that the package in this directory stores."""
    digest = hashlib.sha256()
    for module in MAKE_ITEMS:
        digest.update(_code(_parsed(remit / module)).encode())
    for dictionary in sorted(remit.glob(DICTIONARIES)):
        digest.update(dictionary.read_bytes())
    for pattern in HAVE_FIELDS:
        for path in sorted(remit.glob(pattern)):
            digest.update("\n".join(_fields(_parsed(path))).encode())
    return digest.hexdigest()[:16]


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), path)


def _code(module: ast.Module) -> str:
    """The module without what only a reader sees: comments are not parsed, and a string that stands alone explains something."""
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [each for each in node.body if not _is_text(each)]
    return ast.dump(module)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _fields(module: ast.Module) -> Iterator[str]:
    """What a class has beside its methods: fields of a dataclass, members of an enum; and the names of types."""
    for node in module.body:
        if isinstance(node, ast.TypeAlias):
            yield ast.unparse(node)
        elif isinstance(node, ast.ClassDef):
            named = (each for each in node.body if isinstance(each, ast.AnnAssign | ast.Assign))
            yield "\n  ".join([f"class {node.name}", *map(ast.unparse, named)])
