"""Package the shared layer, or one function: its source, the packages of its lock file, and valid bytecode.

``sam build`` calls this through ``layers/Makefile``. It differs from SAM's own Python builder in three ways that matter
for cold starts. Bytecode: SAM's archives carry dates of 1980, so ordinary ``.pyc`` files are never valid on Lambda and
every cold start compiles everything anew; *unchecked-hash* bytecode is valid whatever the date. Size: boto3 describes
some 400 services, of which Remit calls a dozen. And locked packages, checked by hash, are installed and compiled once
and then copied, so that a change of our own code builds in about a second.

The processor is named by ``REMIT_BUILD_FOR``: ``arm64`` (the default) or ``x86_64`` for Lambda, ``host`` for functions
that run on this machine's own Python, as the local stack's do.
"""

import hashlib
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
from importlib.util import cache_from_source
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".tools" / "bin" / "uv"
PREPARED = ROOT / "build" / "packages"
PYTHON_VERSION = "3.13"
# Lambda's Python 3.13 runs on Amazon Linux 2023, which has glibc 2.34.
PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34", "host": None}

# The services that Remit's code calls. The template's own resources need none of this.
AWS_SERVICES = {
    "cloudwatch",
    "dynamodb",
    "events",
    "lambda",
    "s3",
    "secretsmanager",
    "sesv2",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
}
# Never used at run time: console scripts, the installer's records (METADATA stays, for packages that ask their own
# version), tests, type stubs, examples, and pydantic's old version.
SUPERFLUOUS = (
    "bin",
    "*.dist-info/[!M]*",
    "**/tests",
    "**/py.typed",
    "**/*.pyi",
    "boto3/examples",
    "botocore/data/*/*/examples-1.json*",
    "pydantic/v1",
    "pydantic/mypy.py",
)


def main() -> None:
    kind, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if kind == "layer":
        package(source, target / "python", mounted_at="/opt/python")
    else:
        package(source, target, mounted_at="/var/task")


def package(source: Path, target: Path, mounted_at: str) -> None:
    """Fill ``target`` with the packages that ``source/requirements.txt`` locks, if any, and with the source itself."""
    lock = source / "requirements.txt"
    if lock.exists():
        shutil.copytree(prepared_packages(lock, mounted_at), target, dirs_exist_ok=True)
    ignored = shutil.ignore_patterns("requirements.txt", "__pycache__", "tests")
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=ignored)
    compile_bytecode(target, mounted_at)


def prepared_packages(lock: Path, mounted_at: str) -> Path:
    """The lock file's packages, installed, pruned and compiled; made once for each lock, platform and build script."""
    build_for = os.environ.get("REMIT_BUILD_FOR", "arm64")
    ingredients = lock.read_bytes() + Path(__file__).read_bytes() + mounted_at.encode()
    prepared = PREPARED / f"{build_for}-{hashlib.sha256(ingredients).hexdigest()[:16]}"
    if prepared.is_dir():
        return prepared
    PREPARED.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=PREPARED))
    draft.chmod(0o755)
    install(lock, draft, PLATFORMS[build_for])
    prune(draft)
    compile_bytecode(draft, mounted_at)
    try:
        draft.rename(prepared)
    except OSError:  # functions are built in parallel, and another one with this lock file was faster
        shutil.rmtree(draft)
    return prepared


def install(lock: Path, target: Path, platform: str | None) -> None:
    # The lock file is complete, so nothing is resolved; and only wheels are taken, so nothing of a package is run.
    command = [str(UV), "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    command += ["--python", sys.executable, "--target", str(target), "--requirement", str(lock)]
    if platform:
        command += ["--python-version", PYTHON_VERSION, "--python-platform", platform]
    subprocess.run(command, check=True)


def prune(packages: Path) -> None:
    for pattern in SUPERFLUOUS:
        for path in list(packages.glob(pattern)):
            remove(path)
    for data in (packages / "botocore" / "data", packages / "boto3" / "data"):
        if data.is_dir():
            for service in data.iterdir():
                if service.is_dir() and service.name not in AWS_SERVICES:
                    remove(service)


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def compile_bytecode(directory: Path, mounted_at: str) -> None:
    """Compile what is not compiled yet. The paths recorded inside are Lambda's, not this machine's."""
    for source in directory.rglob("*.py"):
        if not Path(cache_from_source(source)).exists():
            py_compile.compile(
                str(source),
                dfile=f"{mounted_at}/{source.relative_to(directory)}",
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )


if __name__ == "__main__":
    main()
