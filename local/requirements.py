"""``python -m local.requirements``: docs/requirements.md, every requirement with the tests that prove it.

The texts are those of docs/requirements.yaml. A test cites a code in its name (`test_R5_…`), or in its docstring or a
comment, in parentheses or as the first word: `(R5, R6)`, `P1–P4: …`. ``--check`` only compares with the file.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.stack import ROOT

FILE = ROOT / "docs" / "requirements.md"
DATA = ROOT / "docs" / "requirements.yaml"
TESTS = ROOT / "tests"

_CODE = r"[A-Z]\d{1,2}"
_LIST = rf"{_CODE}(?:(?:, |–){_CODE})*"
_FIRST = re.compile(rf"\s*({_LIST})(?![\w])")
_PARENTHESES = re.compile(r"\(([^()]*)\)")
_RANGE = re.compile(r"\b([A-Z])(\d{1,2})–(?:[A-Z])?(\d{1,2})\b")
_WORD = re.compile(rf"\b{_CODE}\b")
_COMMENT = re.compile(r"#\s(.*)$", re.MULTILINE)

INTRODUCTION = """# What Remit must do, and which tests prove it

<!-- Written by `make docs` from requirements.yaml and the tests. Change those, not this. -->

Each line is a promise to Remit's users. Tests cite the codes. A number in parentheses says how many tests of a file do; a
file without one cites the code as a whole. *Open* means that no test cites it yet.
"""


@dataclass(frozen=True, slots=True)
class Citation:
    """A code that a test cites, or, without a test, the whole file."""

    code: str
    file: str
    test: str | None


def codes_in_name(name: str) -> set[str]:
    """`test_R5_R6_refund_is_impossible` cites R5 and R6."""
    return {word for word in name.split("_") if re.fullmatch(_CODE, word)}


def codes_in_text(text: str) -> set[str]:
    """The codes that a docstring begins with, and those in parentheses; `P1–P3` are three."""
    cited = [found[1]] if (found := _FIRST.match(text)) else []
    cited += _PARENTHESES.findall(text)
    codes: set[str] = set()
    for part in cited:
        codes |= set(_WORD.findall(part))
        for letter, first, last in _RANGE.findall(part):
            codes |= {f"{letter}{number}" for number in range(int(first), int(last) + 1)}
    return codes


def citations_of(source: str, file: str) -> Iterator[Citation]:
    """What the tests of one file cite; a class's words count for each of its tests."""
    module = ast.parse(source)
    yield from (Citation(code, file, None) for code in codes_in_text(ast.get_docstring(module) or ""))
    yield from _in_body(module, source, file, set())


def _in_body(body: ast.Module | ast.ClassDef, source: str, file: str, inherited: set[str]) -> Iterator[Citation]:
    for node in body.body:
        if isinstance(node, ast.ClassDef):
            named = codes_in_text(ast.get_docstring(node) or "")
            yield from _in_body(node, source, file, inherited | named)
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            cited = inherited | codes_in_name(node.name) | codes_in_text(ast.get_docstring(node) or "")
            lines = source.splitlines()[node.lineno - 1 : node.end_lineno]
            for comment in _COMMENT.findall("\n".join(lines)):
                cited |= codes_in_text(comment)
            yield from (Citation(code, file, node.name) for code in cited)


def citations(folder: Path = TESTS) -> list[Citation]:
    """What all tests of the project cite."""
    return [
        citation
        for path in sorted(folder.rglob("*.py"))
        for citation in citations_of(path.read_text(), str(path.relative_to(folder.parent)))
    ]


def requirements() -> dict[str, Any]:
    """Letter → {title, codes: {code: text}}."""
    found: dict[str, Any] = yaml.safe_load(DATA.read_text())
    return found


def page(found: list[Citation]) -> str:
    """The whole page: one row per code."""
    parts = [INTRODUCTION]
    for letter, chapter in requirements().items():
        rows = [f"| {code} | {' '.join(text.split())} | {_tests(code, found)} |" for code, text in chapter["codes"].items()]
        title = f"## {letter} · {chapter['title']}\n"
        parts.append("\n".join([title, "| | requirement | proved by |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _tests(code: str, found: list[Citation]) -> str:
    """The files that cite the code, by name, with how many tests each."""
    files: dict[str, set[str]] = {}
    for citation in found:
        if citation.code == code:
            files.setdefault(citation.file, set()).update({citation.test} if citation.test else ())
    links = [
        f"[{file.removeprefix('tests/').removesuffix('.py')}](../{file})" + (f" ({len(tests)})" if tests else "")
        for file, tests in sorted(files.items())
    ]
    return ", ".join(links) or "*open*"


def main(arguments: list[str], file: Path = FILE) -> int:
    found = citations()
    text = page(found)
    if "--check" in arguments:
        same = file.exists() and file.read_text() == text
        print(f"{file.name} is what the tests say" if same else f"{file.name} differs from the tests: run 'make docs'")
        return 0 if same else 1
    file.write_text(text)
    codes = [code for chapter in requirements().values() for code in chapter["codes"]]
    cited = {citation.code for citation in found}
    print(f"{file.name}: {len(codes)} requirements, {sum(code not in cited for code in codes)} open")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
