"""The mailer of this stack."""

import os

import boto3
from botocore.config import Config

from remit.adapters.email.ses import SesMailer
from remit.domain.firm import Firm

# The sender's claim on a message holds for minutes; a call to SES must end well within it, and is not repeated
# by botocore, because a repeat after a lost answer would be a second mail.
_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 1})
_client = boto3.client("sesv2", config=_CONFIG)


def deployed_mailer(firm: Firm) -> SesMailer:
    """SES, sending as the stack's verified address in the firm's name."""
    mailer = SesMailer(_client, os.environ["MAIL_FROM"], os.environ.get("MAIL_CONFIGURATION_SET") or None)
    return mailer.on_behalf_of(firm.name, firm.email)
