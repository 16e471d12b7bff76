"""The API's description is put together from functions that do not know each other."""

from typing import Any

import pytest

from local.openapi import require_one_meaning


def named(**shapes: Any) -> dict[str, Any]:
    return {"components": {"schemas": shapes}}


def test_one_name_means_one_thing_in_all_functions() -> None:
    account, note = {"properties": {"name": {}}}, {"properties": {"text": {}}}
    require_one_meaning([named(Account=account), named(Account=dict(account), Note=note)])
    with pytest.raises(ValueError, match="Note"):
        require_one_meaning([named(Note=note), named(Account=account), named(Note=account)])
