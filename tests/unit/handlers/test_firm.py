"""PUT /firm: the retries of automatic collection (S4)."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from local.invoke import load_event
from remit.contract.firm import FirmBody, FirmView
from remit.domain.collection import MAX_DAYS, MAX_RETRIES, RetryPolicy
from remit.domain.errors import InvalidError

PROFILE: dict[str, Any] = json.loads(load_event("firm", "set")["body"])


def test_S4_the_policy_is_data_of_the_firm_with_a_default() -> None:
    assert FirmBody.model_validate(PROFILE).to_domain().collection_retries == RetryPolicy((3, 5, 7))
    firm = FirmBody.model_validate(PROFILE | {"collection_retries": [1, 10]}).to_domain()
    assert (firm.collection_retries, FirmView.of(firm).collection_retries) == (RetryPolicy((1, 10)), [1, 10])
    assert FirmBody.model_validate(PROFILE | {"collection_retries": []}).to_domain().collection_retries == RetryPolicy(())


def test_S4_days_that_do_not_rise_are_refused_with_what_is_allowed() -> None:
    with pytest.raises(InvalidError, match="bad_collection_retries") as refusal:
        FirmBody.model_validate(PROFILE | {"collection_retries": [5, 3]}).to_domain()
    assert refusal.value.facts == {"max_retries": MAX_RETRIES, "max_days": MAX_DAYS}


@pytest.mark.parametrize("days", [[0], [MAX_DAYS + 1], list(range(1, MAX_RETRIES + 2)), ["3"]])
def test_S4_days_out_of_bounds_are_refused(days: list[Any]) -> None:
    with pytest.raises(ValidationError):
        FirmBody.model_validate(PROFILE | {"collection_retries": days})
