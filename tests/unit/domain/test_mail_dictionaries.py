"""What a message with its letter takes in the store (D11)."""

import zlib
from dataclasses import replace
from typing import Any

import pytest

from local.email_templates import samples
from remit.adapters.dynamodb import deflate
from remit.adapters.dynamodb.mapping import from_record, to_record
from remit.adapters.email.formatting import LANGUAGES
from remit.adapters.email.rendering import render
from remit.domain.messages import Message, MessageStatus

WRITE_UNIT = 1024
BESIDE_CONTENT = 280
"""Bytes of an item's keys and of its listing."""

UNITS = {"account_summary_open_long": 2}
"""Letters of which one write unit cannot hold the list: 25 amounts, each with its link. Every other takes one."""

LETTERS = [(language, name) for language in LANGUAGES for name in samples.emails(language)]


@pytest.mark.parametrize(("language", "name"), LETTERS)
def test_D11_a_message_with_its_letter_fits_into_a_write_unit_and_comes_back_to_the_byte(language: str, name: str) -> None:
    """Of each built-in letter."""
    template, model = samples.emails(language)[name]
    rendered = render(template, model, language)
    message = Message(
        "msg_1", "acc_1", template, rendered.template_version, "ap@customer.example", rendered.subject, MessageStatus.SENT,
        samples.NOW, samples.NOW, "0100019a-provider", html=rendered.html, text=rendered.text,
    )  # fmt: skip
    record: Any = to_record(message)
    assert len(record.content) < UNITS.get(name, 1) * WRITE_UNIT - BESIDE_CONTENT
    assert from_record(record) == replace(message, version=1)


@pytest.mark.parametrize("checksum", [123264687, 1896617290, 2338341135])
def test_D11_no_dictionary_that_messages_were_written_with_is_lost(checksum: int) -> None:
    assert checksum in deflate._DICTIONARIES


def test_D11_a_message_from_before_letters_were_kept_can_be_read() -> None:
    message = Message("msg_1", "acc_1", "t", "t-1", "a@b.example", "s", MessageStatus.SENT, samples.NOW)
    record: Any = to_record(message)
    record.content = zlib.compress(
        b'{"id":"msg_1","account_id":"acc_1","template":"t","template_version":"t-1","to":"a@b.example","subject":"s","model":{"x":1},'
        b'"status":"sent","claimed_at":"2026-01-31T09:30:00Z"}'
    )
    assert from_record(record) == replace(message, version=1)
