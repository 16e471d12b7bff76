"""The built layer stands alone: with it and a bare interpreter, as on Lambda, everything that functions import is there."""

import json
import os
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from layers import build

SIZE_MAX_BYTES = 32_000_000  # unpacked; Lambda allows 250 MB for a function with its layers

IMPORT_EVERYTHING = """
import importlib, json, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import boto3, dateutil, pydantic, pynamodb.models, tzdata, urllib3, zoneinfo
import aws_lambda_powertools, aws_lambda_powertools.event_handler, aws_lambda_powertools.metrics
import aws_lambda_powertools.utilities.batch, aws_lambda_powertools.utilities.parser
class Model(pydantic.BaseModel):
    amount_minor: int
Model.model_validate_json('{"amount_minor": 1}')
zoneinfo.reset_tzpath(to=[])
zoneinfo.ZoneInfo("Europe/Vienna")
for service in sys.argv[2].split(","):
    boto3.client(service, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
import remit
missing = []
for module in pkgutil.walk_packages(remit.__path__, "remit."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        missing.append((module.name, error.name or str(error)))
foreign = [m.__file__ for m in sys.modules.values() if "site-packages" in (getattr(m, "__file__", None) or "")]
print(json.dumps({"missing": missing, "foreign": foreign}))
"""
# Packages that only some functions carry; the adapters that import them are imported by those functions only.
FUNCTION_PACKAGES = {"stripe", "jinja2", "markupsafe", "requests"}


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("layer") / "python"
    patch = pytest.MonkeyPatch()
    patch.setenv("REMIT_BUILD_FOR", "host")
    build.package(build.ROOT / "layers" / "shared", target, mounted_at="/opt/python")
    patch.undo()
    return target


def test_everything_imports_with_the_layer_alone(layer: Path) -> None:
    # The environment's own interpreter, without the environment: none of its packages can fill a gap.
    bare = sys._base_executable  # type: ignore[attr-defined]
    services = ",".join(sorted(build.AWS_SERVICES))
    done = subprocess.run(
        [bare, "-I", "-c", IMPORT_EVERYTHING, str(layer), services],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["foreign"] == []
    assert {package for _, package in found["missing"]} <= FUNCTION_PACKAGES


def test_every_module_has_bytecode_that_is_valid_whatever_its_date(layer: Path) -> None:
    unchecked_hash_based = 0b01.to_bytes(4, "little")
    sources = list(layer.rglob("*.py"))
    for source in sources:
        bytecode = Path(cache_from_source(source)).read_bytes()
        assert bytecode[4:8] == unchecked_hash_based, source
    assert len(sources) > 500


def test_bytecode_names_the_path_on_lambda(layer: Path) -> None:
    bytecode = Path(cache_from_source(layer / "boto3" / "session.py")).read_bytes()
    assert b"/opt/python/boto3/session.py" in bytecode
    assert str(layer).encode() not in bytecode


def test_only_the_services_in_use_are_described(layer: Path) -> None:
    described = {path.name for path in (layer / "botocore" / "data").iterdir() if path.is_dir()}
    assert described == build.AWS_SERVICES


def test_the_layer_stays_small(layer: Path) -> None:
    size = sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())
    assert size <= SIZE_MAX_BYTES


def test_a_function_brings_its_own_packages_and_none_of_the_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMIT_BUILD_FOR", "host")
    source = tmp_path / "source"
    source.mkdir()
    (source / "handler.py").write_text("import stripe\n")
    (source / "requirements.txt").symlink_to(build.ROOT / "requirements" / "function-payments.txt")
    build.package(source, tmp_path / "target", mounted_at="/var/task")
    packed = {path.name for path in (tmp_path / "target").iterdir()}
    assert {"handler.py", "stripe", "__pycache__"} <= packed
    assert packed.isdisjoint({"boto3", "botocore", "urllib3", "requirements.txt"})


@pytest.mark.parametrize(("build_for", "tag"), [("arm64", "aarch64"), ("x86_64", "x86_64")])
def test_compiled_packages_are_for_the_functions_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build_for: str, tag: str
) -> None:
    monkeypatch.setenv("REMIT_BUILD_FOR", build_for)
    build.package(build.ROOT / "layers" / "shared", tmp_path / "python", mounted_at="/opt/python")
    libraries = [path.name for path in tmp_path.rglob("*.so")]
    assert libraries
    assert all(tag in name for name in libraries)
