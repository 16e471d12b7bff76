"""Send one e-mail about one fact, once (D2, D7, D11)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from remit.domain.accounts import Account
from remit.domain.actor import Actor
from remit.domain.dunning import DunningPolicy
from remit.domain.errors import RuleError, TransientError
from remit.domain.messages import AUTOMATION, Message, MessageStatus
from remit.usecases.guards import AlreadyExistsError
from remit.usecases.loading import need
from remit.usecases.ports import Books, Clock, Letter, Mailer, message_ref

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
    the claim meets it, because a message is nearly always new. A machine that dies between
    handing over and marking leaves a claim that expires, and the mail goes out again: mail providers know no
    idempotency key, and a notice twice is better than one never sent. `TransientError` while somebody else's
    claim holds, or when the mail may go later (the claim is then given back). A refused address ends as `FAILED`.
    """
    now = clock.now()
    letter = write()
    claim = Message(
        id=message_id,
        account_id=account.id,
        template=letter.template,
        template_version=letter.template_version,
        to=account.email,
        subject=letter.subject,
        model=letter.model,
        status=MessageStatus.SENDING,
        claimed_at=now,
        actor=actor,
        about=tuple(about),
        policy_id=policy.id if policy else None,
        policy_revision=policy.revision if policy else None,
    )
    try:
        books.commit([claim])
    except AlreadyExistsError:
        ref = message_ref(account.id, message_id)
        known = need(books.load(ref), ref)
        if known.status is not MessageStatus.SENDING:
            return known
        if now < known.claimed_at + LEASE:
            raise TransientError("message_being_sent", "This message is being sent just now.") from None
        claim = replace(claim, version=known.version)
        books.commit([claim])
    claim = replace(claim, version=claim.version + 1)
    try:
        provider_id = mailer.send(account.email, letter.subject, letter.html, letter.text, message_id)
    except TransientError:
        books.commit([replace(claim, claimed_at=now - LEASE)])
        raise
    except RuleError as refusal:
        failed = replace(claim, status=MessageStatus.FAILED, failure=refusal.detail)
        books.commit([failed])
        return failed
    sent = replace(claim, status=MessageStatus.SENT, sent_at=clock.now(), provider_id=provider_id)
    books.commit([sent])
    return sent
