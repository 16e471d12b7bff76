"""Handing e-mails over to SES: what is sent, and what its refusals mean."""

import re
from collections.abc import Callable
from email import message_from_string
from email.header import decode_header, make_header
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from local.email_templates import samples
from remit.adapters.email.ses import SesMailer, address, of_tag, tag_value
from remit.adapters.payment_links import PaymentLinks
from remit.domain.errors import RuleError, TransientError

MESSAGE = ("ap@blueharbour.example", "Invoice 1", "<p>Hello</p>", "Hello", "msg_invoice_issued_inv_1", "acc_1")


@pytest.fixture
def ses() -> Any:
    return boto3.client("sesv2", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test")


def expected(**changes: Any) -> dict[str, Any]:
    content = {
        "Subject": {"Data": "Invoice 1", "Charset": "UTF-8"},
        "Body": {"Html": {"Data": "<p>Hello</p>", "Charset": "UTF-8"}, "Text": {"Data": "Hello", "Charset": "UTF-8"}},
        "Headers": [{"Name": "Auto-Submitted", "Value": "auto-generated"}],
    }
    return {
        "FromEmailAddress": "remit@billing.example",
        "Destination": {"ToAddresses": ["ap@blueharbour.example"]},
        "Content": {"Simple": content},
        "EmailTags": [
            {"Name": "message_id", "Value": "msg_invoice_issued_inv_1"},
            {"Name": "account_id", "Value": "acc_1"},
        ],
    } | changes


def test_a_message_goes_with_both_parts_and_its_id(ses: Any) -> None:
    with Stubber(ses) as stub:
        stub.add_response("send_email", {"MessageId": "ses-1"}, expected())
        assert SesMailer(ses, "remit@billing.example").send(*MESSAGE) == "ses-1"


def test_replies_go_to_the_firm_and_its_name_is_shown(ses: Any) -> None:
    mailer = SesMailer(ses, "remit@billing.example", configuration_set="deliveries")
    mailer = mailer.on_behalf_of("Northwind Cloud B.V.", "billing@northwind.example")
    with Stubber(ses) as stub:
        stub.add_response(
            "send_email",
            {"MessageId": "ses-1"},
            expected(
                FromEmailAddress='"Northwind Cloud B.V." <remit@billing.example>',
                ReplyToAddresses=["billing@northwind.example"],
                ConfigurationSetName="deliveries",
            ),
        )
        mailer.send(*MESSAGE)


@pytest.mark.parametrize(
    "name",
    ["Zoë & Söhne", 'Quo"ted <x@evil.example>', "Line\r\nBcc: x@evil.example", "שלום 🎉", "a" * 500, "\\", ",;:@", " "],
)
def test_no_name_breaks_out_of_the_sender(name: str) -> None:
    sender = SesMailer(None, "remit@billing.example").on_behalf_of(name, "billing@northwind.example").sender  # type: ignore[arg-type]
    assert sender.isascii()
    assert len(sender.splitlines()) == 1
    parsed = message_from_string(f"From: {sender}\n\n")
    assert list(parsed.keys()) == ["From"]
    assert str(make_header(decode_header(sender))).endswith("remit@billing.example>" if name.strip() else "remit@billing.example")


def test_a_subject_is_one_line_of_bounded_length(ses: Any) -> None:
    seen: dict[str, Any] = {}
    ses.meta.events.register("before-parameter-build.sesv2.SendEmail", lambda params, **_: seen.update(params))
    with Stubber(ses) as stub:
        stub.add_response("send_email", {"MessageId": "1"}, {**dict.fromkeys(expected(), ANY)})
        SesMailer(ses, "remit@billing.example").send(
            "a@b.example", "Invoice\r\nBcc: x@evil.example" + "!" * 500, "<p></p>", "-", "m", "a"
        )
    subject = seen["Content"]["Simple"]["Subject"]["Data"]
    assert subject.startswith("Invoice Bcc: x@evil.example!!!")
    assert len(subject) == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nobody",
        "@b.example",
        "a@",
        "a@b@c.example",
        "a@b.example, c@d.example",
        "a@b.example;c@d.example",
        "Ann <a@b.example>",
        "a@b.example\r\nBcc: c@d.example",
        "a@b.example\n",
        "a b@c.example",
        "zoë@b.example",
        "a@" + "b" * 70 + ".example",
        "a@" + "b." * 140 + "example",
        "a@b..example",
    ],
)
def test_what_is_not_one_address_is_refused_before_ses_is_asked(text: str) -> None:
    with pytest.raises(RuleError) as caught:
        address(text)
    assert caught.value.code == "mail_refused"


def test_international_domains_are_sent_in_ascii() -> None:
    assert address("ap@bücher.example") == "ap@xn--bcher-kva.example"
    assert address("first.last+billing@sub.b-c.example") == "first.last+billing@sub.b-c.example"


@given(st.text(min_size=1, max_size=30))
def test_D11_a_tag_is_in_the_alphabet_of_ses_and_gives_the_id_back(id: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag_value(id))
    assert of_tag(tag_value(id)) == id


@pytest.mark.parametrize("id", ["", "x" * 257])
def test_an_id_that_no_tag_can_carry_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        tag_value(id)


def test_D11_the_secrets_of_links_are_put_in_when_a_letter_is_handed_over(ses: Any) -> None:
    links = PaymentLinks([b"s" * 32], "https://pay.example.test")
    link = links.link("acc_1", "inv_1", samples.NOW)
    seen: dict[str, Any] = {}
    ses.meta.events.register("before-parameter-build.sesv2.SendEmail", lambda params, **_: seen.update(params))
    with Stubber(ses) as stub:
        stub.add_response("send_email", {"MessageId": "1"}, {**dict.fromkeys(expected(), ANY)})
        kept = links.masked(f"Pay: {link}")
        SesMailer(ses, "remit@billing.example", links=links).send("a@b.example", "-", kept, kept, "msg_1", "acc_1")
    body = seen["Content"]["Simple"]["Body"]
    assert link not in kept
    assert (body["Html"]["Data"], body["Text"]["Data"]) == (f"Pay: {link}", f"Pay: {link}")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("TooManyRequestsException", 429),
        ("LimitExceededException", 400),
        ("SendingPausedException", 400),
        ("ThrottlingException", 400),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
    ],
)
def test_a_busy_service_is_transient(ses: Any, code: str, status: int) -> None:
    with Stubber(ses) as stub:
        stub.add_client_error("send_email", code, http_status_code=status)
        with pytest.raises(TransientError, match="mail_unavailable"):
            SesMailer(ses, "remit@billing.example").send(*MESSAGE)


@pytest.mark.parametrize("code", ["MessageRejected", "BadRequestException"])
def test_a_refused_message_is_not_tried_again(ses: Any, code: str) -> None:
    with Stubber(ses) as stub:
        stub.add_client_error("send_email", code, http_status_code=400)
        with pytest.raises(RuleError) as caught:
            SesMailer(ses, "remit@billing.example").send(*MESSAGE)
    assert caught.value.code == "mail_refused"
    assert caught.value.facts == {"reason": code}


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccountSuspendedException", "NotFoundException"])
def test_our_own_misconfiguration_stays_loud(ses: Any, code: str) -> None:
    with Stubber(ses) as stub:
        stub.add_client_error("send_email", code, http_status_code=400)
        with pytest.raises(ClientError):
            SesMailer(ses, "remit@billing.example").send(*MESSAGE)


@pytest.mark.parametrize(
    "failure",
    [
        lambda: EndpointConnectionError(endpoint_url="https://ses"),
        lambda: ConnectTimeoutError(endpoint_url="https://ses"),
        lambda: ReadTimeoutError(endpoint_url="https://ses"),
    ],
)
def test_silence_is_transient(ses: Any, failure: Callable[[], Exception]) -> None:
    def fail(**_: Any) -> None:
        raise failure()

    ses.meta.events.register("before-call.sesv2.SendEmail", fail)
    with pytest.raises(TransientError, match="mail_unavailable"):
        SesMailer(ses, "remit@billing.example").send(*MESSAGE)
