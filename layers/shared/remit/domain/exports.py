"""An export of one month for the accountants (Q4, X2)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from remit.domain.actor import Actor


class ExportStatus(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Export:
    """One run of the export. `period` is `YYYY-MM` by effective date; `files` maps name → key in the bucket,
    `control_totals` are the figures that tie the files to the ledger."""

    id: str
    period: str
    requested_by: Actor
    requested_at: datetime
    status: ExportStatus = ExportStatus.RUNNING
    finished_at: datetime | None = None
    files: dict[str, str] | None = None
    control_totals: dict[str, Any] | None = None
    failure: str | None = None
    version: int = 0
