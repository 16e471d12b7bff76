"""Write a note on an account (A6)."""

from remit.domain.accounts import Note
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need_account
from remit.usecases.ports import Books, Changes, Clock, Ids, account_ref


def add_note(account_id: str, text: str, request: Request[Note], books: Books, clock: Clock, ids: Ids) -> Answer:
    """Keep the note with who wrote it and when; it is never changed. `NotFoundError` for an unknown account."""
    now = clock.now()
    note_id = ids.new("not")

    def decide(consistent: bool) -> tuple[Changes, Note]:
        need_account(books.load(account_ref(account_id)), account_id)
        note = Note(note_id, account_id, text, request.actor, now)
        return [note], note

    return once(books, request, now, decide)
