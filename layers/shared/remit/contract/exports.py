"""Exports and the clock as the API speaks of them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from remit.contract.common import Body, View
from remit.domain.exports import ExportStatus

Period = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2026-11"])]


class NewExportBody(Body):
    """The month to export, by effective date."""

    period: Period


class ExportView(View):
    """`urls` (name → pre-signed address, valid for an hour) once it is done."""

    id: str
    period: str
    status: ExportStatus
    requested_at: datetime
    finished_at: datetime | None
    control_totals: dict[str, Any] | None
    failure: str | None
    urls: dict[str, str] = {}


class ClockView(View):
    """The stack's time. `offset_seconds` is how far it is ahead of the machine's."""

    now: datetime
    offset_seconds: int


class MoveClockBody(Body):
    """The clock only moves forward."""

    now: AwareDatetime
