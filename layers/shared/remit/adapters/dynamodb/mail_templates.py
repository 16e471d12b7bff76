"""The firm's own mail templates, newest first. See `usecases.ports.MailTemplates`."""

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.books import connection, reading
from remit.adapters.dynamodb.mapping import from_record
from remit.adapters.dynamodb.records import Record
from remit.domain.mail_templates import MailTemplate


class DynamoMailTemplates:
    """Versions lie in one partition per template and language, in the order of time. The cursor is the last one shown."""

    def versions(self, key: str, cursor: str | None, limit: int) -> tuple[list[MailTemplate], str | None]:
        connection()
        before = Record.sk < cursor if cursor else None
        partition = keys.mail_template_partition(key)
        with reading():
            found = list(Record.query(partition, before, scan_index_forward=False, limit=limit, consistent_read=True))[:limit]
        return [from_record(record) for record in found], found[-1].sk if len(found) == limit else None
