"""Send one e-mail about one fact, once (D2, D7, D11)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from remit.domain.accounts import Account
from remit.domain.actor import Actor
from remit.domain.dunning import DunningPolicy
from remit.domain.errors import ConflictError, RuleError, TransientError
from remit.domain.messages import AUTOMATION, Message, MessageStatus
from remit.usecases.guards import AlreadyExistsError
from remit.usecases.idempotency import persist
from remit.usecases.loading import need
from remit.usecases.ports import Books, Changes, Clock, Letter, Mailer, message_ref

LEASE = timedelta(minutes=1)
"""How long a claim holds. No function that sends mail lives that long (template.yaml), so an older claim's owner is dead;
and what retries such a function goes on for longer."""


def send_once(
    message_id: str,
    account: Account,
    write: Callable[[], Letter],
    books: Books,
    mailer: Mailer,
    clock: Clock,
    *,
    about: Sequence[str] = (),
    policy: DunningPolicy | None = None,
    actor: Actor = AUTOMATION,
) -> Message:
    """Claim the message, hand the mail over, mark it as sent; a repeat finds it sent and does nothing. `about`: the ids of the
    documents that it tells of, in whose timelines it stands. `policy`: the dunning policy by which it is sent. `actor`: who
    asked for it.

    The claim comes first, so two machines never send the same message at once; what was said before is read only when
    the claim meets it, because a message is nearly always new. The claim holds the letter as it is going to be sent, so
    that whoever takes over sends the same. A machine that dies between
    handing over and marking leaves a claim that expires, and the mail goes out again: mail providers know no
    idempotency key, and a notice twice is better than one never sent. `TransientError` while somebody else's
    claim holds, or when the mail may go later (the claim is then given back). A refused address ends as `FAILED`, one that is
    known to be bad as `SUPPRESSED`.
    """
    now = clock.now()
    claim = _claim(message_id, account, write(), now, actor, about, policy)
    try:
        books.commit([claim])
    except AlreadyExistsError:
        ref = message_ref(account.id, message_id)
        known = need(books.load(ref), ref)
        if known.status is not MessageStatus.SENDING:
            return known
        if now < known.claimed_at + LEASE:
            raise TransientError("message_being_sent", "This message is being sent just now.") from None
        # Of a claim from before letters were kept, the letter is written anew.
        claim = replace(known if known.html else replace(claim, version=known.version), claimed_at=now)
        books.commit([claim])
    claim = replace(claim, version=claim.version + 1)
    if claim.status is MessageStatus.SUPPRESSED:
        return claim
    try:
        provider_id = mailer.send(claim.to, claim.subject, claim.html, claim.text, message_id, account.id)
    except TransientError:
        given_back = _stored(replace(claim, claimed_at=now - LEASE), books)
        if given_back.status is MessageStatus.SENDING:
            raise
        return given_back
    except RuleError as refusal:
        return _stored(replace(claim, status=MessageStatus.FAILED, failure=refusal.detail), books)
    return _stored(replace(claim, status=MessageStatus.SENT, sent_at=clock.now(), provider_id=provider_id), books)


def _stored(outcome: Message, books: Books) -> Message:
    """The message as it is stored after its outcome. The provider may have reported it first: then that stands.

    Left unmarked, a letter that was handed over would go out once more when its claim is over: so it is tried again for as long
    as the claim is ours. `ConflictError` when somebody else has claimed it since.
    """
    try:
        books.commit([outcome])
    except (ConflictError, TransientError):
        return persist(books, lambda: _as_it_came_out(outcome, books))
    return outcome


def _as_it_came_out(outcome: Message, books: Books) -> tuple[Changes, Message]:
    ref = message_ref(outcome.account_id, outcome.id)
    known = need(books.load(ref), ref)
    if known.status is not MessageStatus.SENDING or known == replace(outcome, version=known.version):
        return [], known
    if known.version != outcome.version:
        raise ConflictError("message_claimed", "Somebody else has claimed this message since.")
    return [outcome], outcome


def _claim(
    message_id: str,
    account: Account,
    letter: Letter,
    now: datetime,
    actor: Actor,
    about: Sequence[str],
    policy: DunningPolicy | None,
) -> Message:
    problem = account.unreachable
    return Message(
        id=message_id,
        account_id=account.id,
        template=letter.template,
        template_version=letter.template_version,
        to=account.email,
        subject=letter.subject,
        status=MessageStatus.SUPPRESSED if problem else MessageStatus.SENDING,
        claimed_at=now,
        failure=f"address: {problem.kind}" if problem else None,
        actor=actor,
        about=tuple(about),
        policy_id=policy.id if policy else None,
        policy_revision=policy.revision if policy else None,
        html=letter.html,
        text=letter.text,
        template_failure=letter.template_failure,
    )
