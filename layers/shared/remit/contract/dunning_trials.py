"""Trials of a dunning policy on the past as the API speaks of them."""

from datetime import date, datetime, time
from typing import Annotated, Any

from pydantic import Field

from remit.contract.common import Body, Day, View
from remit.contract.dunning import DunningPolicyBody, LateChargesView, ReminderView, TierView
from remit.domain.dunning_trials import USUAL_RUN, PolicyTrial, TrialLetter, TrialStatus, TrialTerms, Wrong
from remit.usecases.try_policy import AccountTrial


class PolicyTrialBody(Body):
    """The policy to try, on which days, and at what time of day each run looks (the firm's time zone). Its late charges are not
    tried: the letters list those that were really made."""

    policy: DunningPolicyBody
    first: Day = Field(alias="from", description="The first day; the policy counts as switched on that day")
    last: Day = Field(alias="to", description="The last day, today at the latest")
    runs_at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["07:00"])] = f"{USUAL_RUN:%H:%M}"

    def to_domain(self) -> TrialTerms:
        return TrialTerms(self.policy.to_domain("proposed"), self.first, self.last, time.fromisoformat(self.runs_at))


class TrialLetterView(View):
    """A letter that would have been sent on a day: a notice of a `tier`, or a reminder at `offset_days` from a due date.

    `invoices` are those listed, by number, and `asked_minor` what is asked for per currency, as known then. `wrong`: why it
    would have been wrong by what is known now; `overstated_minor` by how much less was really due.
    """

    on: date
    tier: int | None
    offset_days: int | None
    template: str
    invoices: list[str]
    asked_minor: dict[str, int]
    wrong: list[Wrong]
    overstated_minor: dict[str, int]

    @classmethod
    def of(cls, letter: TrialLetter) -> "TrialLetterView":
        return cls(
            on=letter.on,
            tier=letter.tier,
            offset_days=letter.offset_days,
            template=letter.template,
            invoices=list(letter.numbers),
            asked_minor=dict(letter.asked_minor),
            wrong=list(letter.wrong),
            overstated_minor=dict(letter.overstated_minor),
        )


class AccountTrialView(View):
    """What the policy would have sent to one account, how much of it wrongly; `really_sent` counts the notices and reminders
    that it got in that time, by template."""

    account_id: str
    letters: list[TrialLetterView]
    wrong: int
    really_sent: dict[str, int]

    @classmethod
    def of(cls, trial: AccountTrial) -> "AccountTrialView":
        letters = [TrialLetterView.of(letter) for letter in trial.letters]
        return cls(account_id=trial.account_id, letters=letters, wrong=trial.wrong, really_sent=trial.really_sent)


class MonthOfTrialView(View):
    """How many letters of a step (`tier 2`, `reminder -7`) a month would have had."""

    month: str = Field(examples=["2026-11"])
    step: str = Field(examples=["tier 2"])
    letters: int
    wrong: int


class FailedAccountView(View):
    """An account that could not be tried, and the code of why."""

    account_id: str
    why: str


class TrialSummaryView(View):
    """Counts over all accounts. Amounts are sums over letters, so a debt counts with each letter about it. `failed_accounts`
    names the first 100 of those that could not be tried; the file `failed_accounts.jsonl` has all."""

    accounts: int
    accounts_written_to: int
    accounts_failed: int
    letters: int
    wrong: int
    wrong_by_reason: dict[Wrong, int]
    by_month: list[MonthOfTrialView]
    asked_minor: dict[str, int]
    overstated_minor: dict[str, int]
    really_sent: dict[str, int]
    failed_accounts: list[FailedAccountView]


class TriedPolicyView(View):
    """A policy as it was proposed: it has no id, and no revisions."""

    tiers: list[TierView]
    reminders: list[ReminderView]
    late_charges: LateChargesView | None


class PolicyTrialView(View):
    """A trial over all accounts. Once it is done it has a `summary`, and `urls` (name → pre-signed address, valid for an hour)
    of all letters as JSON Lines and CSV."""

    id: str
    status: TrialStatus
    policy: TriedPolicyView
    first: date = Field(alias="from")
    last: date = Field(alias="to")
    runs_at: str
    requested_at: datetime
    finished_at: datetime | None
    summary: TrialSummaryView | None
    failure: str | None
    urls: dict[str, str] = {}

    @classmethod
    def of(cls, trial: PolicyTrial, urls: dict[str, str] | None = None) -> "PolicyTrialView":
        terms = trial.terms
        shown = {name: getattr(trial, name) for name in ("id", "status", "requested_at", "finished_at", "summary", "failure")}
        period = {"from": terms.first, "to": terms.last, "runs_at": f"{terms.runs_at:%H:%M}"}
        return cls.model_validate({**shown, **period, "policy": terms.policy, "urls": urls or {}})

    @classmethod
    def plain(cls, thing: Any) -> Any:
        return cls.of(thing).model_dump(mode="json", by_alias=True)
