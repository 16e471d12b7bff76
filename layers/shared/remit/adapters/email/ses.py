"""Hand an e-mail over to Amazon SES (API v2).

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

import os
import re
from dataclasses import dataclass, replace
from email.utils import formataddr
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from remit.adapters.email.formatting import clean
from remit.adapters.links import payment_links
from remit.adapters.payment_links import PaymentLinks
from remit.domain.errors import RuleError, TransientError
from remit.domain.firm import Firm

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import SendEmailRequestTypeDef

# What may go through later: too fast, over today's quota, or sending paused by an operator.
_TRANSIENT_CODES = frozenset(
    "TooManyRequestsException ThrottlingException Throttling LimitExceededException SendingPausedException "
    "RequestTimeout RequestTimeoutException".split()
)
# What is wrong with this very message or its address. All else is our own configuration and stays loud.
_REFUSED_CODES = frozenset(("MessageRejected", "BadRequestException"))

_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x20\x7f-\x9f]+@[^\s@<>()\[\],;:\\\"\x00-\x20\x7f-\x9f]+")
_MAX_ADDRESS = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
_MAX_SUBJECT = 200
_MAX_TAG = 256
_MAX_DISPLAY_NAME = 60


@dataclass(frozen=True, slots=True)
class SesMailer:
    """A `Mailer` on SES. `sender` is the verified address; `configuration_set` publishes deliveries and bounces (D11); `links`
    puts the secrets of links in, which nothing else of a letter carries.

    SES gets subject, bodies and addresses as separate fields and writes the headers itself; besides, line
    breaks never pass this class, so a name cannot smuggle a header in.
    """

    client: "SESV2Client"
    sender: str
    configuration_set: str | None = None
    reply_to: str | None = None
    links: PaymentLinks | None = None

    def on_behalf_of(self, name: str, email: str) -> "SesMailer":
        """The same mailer, showing the firm's name beside the sender's address and sending replies to the firm."""
        shown = clean(name)[:_MAX_DISPLAY_NAME].strip()
        return replace(self, sender=formataddr((shown, self.sender)), reply_to=address(email))

    def send(self, to: str, subject: str, html: str, text: str, message_id: str, account_id: str) -> str:
        """Send and return SES's id of the message.

        `RuleError("mail_refused")` for an address or message that SES will not take, `TransientError` when it may
        go later. After a time-out the message may have gone all the same: SES has no idempotency key.
        """
        html, text = (self.links.unmasked(part) if self.links else part for part in (html, text))
        request: SendEmailRequestTypeDef = {
            "FromEmailAddress": self.sender,
            "Destination": {"ToAddresses": [address(to)]},
            "Content": {
                "Simple": {
                    "Subject": {"Data": clean(subject)[:_MAX_SUBJECT], "Charset": "UTF-8"},
                    "Body": {"Html": {"Data": html, "Charset": "UTF-8"}, "Text": {"Data": text, "Charset": "UTF-8"}},
                    # RFC 3834: out-of-office replies are not wanted from robots.
                    "Headers": [{"Name": "Auto-Submitted", "Value": "auto-generated"}],
                }
            },
            "EmailTags": [
                {"Name": "message_id", "Value": tag_value(message_id)},
                {"Name": "account_id", "Value": tag_value(account_id)},
            ],
        }
        if self.reply_to:
            request["ReplyToAddresses"] = [self.reply_to]
        if self.configuration_set:
            request["ConfigurationSetName"] = self.configuration_set
        try:
            return self.client.send_email(**request)["MessageId"]
        except ClientError as error:
            raise _translated(error) from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError(
                "mail_unavailable", "The mail service did not answer; the message may or may not have gone."
            ) from error


def deployed_mailer(firm: Firm) -> SesMailer:
    """The mailer of this stack, for the firm: `MAIL_SENDER` and, if there is one, `MAIL_CONFIGURATION_SET`."""
    mailer = SesMailer(
        _client(), os.environ["MAIL_SENDER"], os.environ.get("MAIL_CONFIGURATION_SET") or None, links=payment_links()
    )
    return mailer.on_behalf_of(firm.name, firm.email)


@cache
def _client() -> "SESV2Client":
    # One client per process. Few and short attempts: the caller's own retries are longer, and see the failure.
    config = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10)
    return boto3.client("sesv2", config=config)


def address(text: str) -> str:
    """One plain address as SES takes it, its domain in ASCII (RFC 5890); `RuleError("mail_refused")` otherwise."""
    found = text.strip(" ")
    if len(found) > _MAX_ADDRESS or not _ADDRESS.fullmatch(found):
        raise RuleError("mail_refused", "The e-mail address is not one that mail can be sent to.")
    local, _, domain = found.rpartition("@")
    try:
        return f"{local.encode('ascii').decode()}@{domain.encode('idna').decode()}"
    except UnicodeError:
        raise RuleError("mail_refused", "The e-mail address has characters that mail cannot be sent to.") from None


def tag_value(message_id: str) -> str:
    """`message_id` in the alphabet of SES tags (ASCII letters, digits, `_` and `-`), so that `of_tag` gives it back.

    A `-` becomes `--`, any other character outside of the alphabet `-` and its code point in hexadecimal and `-`.
    `ValueError` for what does not fit into the 256 characters of a tag.
    """
    value = re.sub(r"[^A-Za-z0-9_]", lambda found: "--" if found[0] == "-" else f"-{ord(found[0]):x}-", message_id)
    if not 0 < len(value) <= _MAX_TAG:
        raise ValueError(f"an id of 1 to {_MAX_TAG} characters fits into a tag")
    return value


def of_tag(value: str) -> str:
    """What `tag_value` made the tag from."""
    return re.sub(r"-([0-9a-f]*)-", lambda found: chr(int(found[1], 16)) if found[1] else "-", value)


def _translated(error: ClientError) -> Exception:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _TRANSIENT_CODES or status == 429 or status >= 500:
        return TransientError("mail_unavailable", "The mail service is busy; the message will be tried again.")
    if code in _REFUSED_CODES:
        return RuleError("mail_refused", "The mail service refused the message.", reason=code)
    return error
