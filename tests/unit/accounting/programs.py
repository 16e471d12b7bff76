"""The accounting programs that must accept the journals: the real ones, run as a user runs them."""

import csv
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def hledger(journal: Path, *arguments: str) -> str:
    """Run hledger; the test fails if it complains. Without it the test is skipped, but never where CI claims proof."""
    program = shutil.which("hledger")
    if program is None:
        needed = "hledger is needed to prove the exported journal: on Debian or Ubuntu 'apt install hledger'"
        pytest.fail(needed) if os.environ.get("CI") else pytest.skip(needed)
    # Its output and input encoding follow the locale; the files are UTF-8.
    environment = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], "HOME": str(journal.parent)}
    done = subprocess.run(
        [program, "-f", journal, *arguments], capture_output=True, encoding="utf-8", env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def hledger_check(journal: Path) -> None:
    hledger(journal, "check", "--strict", "ordereddates")


def hledger_total(journal: Path, accounts: str) -> dict[str, str]:
    """Currency → total of the accounts that match, as hledger prints it (`{"EUR": "121.00"}`)."""
    rows = list(csv.reader(io.StringIO(hledger(journal, "balance", accounts, "--output-format=csv", "--empty"))))
    amounts = [amount.split(" ") for amount in rows[-1][1].split(", ")]
    return {pair[1]: pair[0] for pair in amounts if len(pair) == 2 and pair[0].strip("-0.")}


def bean_check(journal: Path) -> None:
    """Run `bean-check`."""
    program = Path(sys.executable).with_name("bean-check")
    done = subprocess.run([program, journal], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def beancount_total(journal: Path, root: str) -> dict[str, str]:
    """Currency → total of the accounts under `root`, as beancount's own loader sees them. Fails on any error."""
    from beancount.core import convert, realization
    from beancount.loader import load_file

    entries, errors, _ = load_file(str(journal))
    assert not errors, errors
    account = realization.get(realization.realize(entries), root)  # type: ignore[no-untyped-call]
    if account is None:
        return {}
    total = realization.compute_balance(account).reduce(convert.get_units)  # type: ignore[no-untyped-call]
    return {position.units.currency: str(position.units.number) for position in total if position.units.number}
