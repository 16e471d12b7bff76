"""Payment links: scoped, expiring, rotatable, tamper-proof (V2)."""

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.payment_links import PaymentLink, PaymentLinks
from remit.domain.errors import ForbiddenError

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32
NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
BASE = "https://pay.example.test"
LINKS = PaymentLinks([NEW], BASE)
ACCOUNT, INVOICE = "acc_01jdxq5x3v8yqk2m7n4r6t9w0z", "inv_01jdxq5x3v8yqk2m7n4r6t9w0z"

ids = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=80)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive by contract


def token(links: PaymentLinks = LINKS, account_id: str = ACCOUNT, invoice_id: str = INVOICE, now: datetime = NOW) -> str:
    return links.link(account_id, invoice_id, now).removeprefix(f"{BASE}/pay/")


def code_of(text: str, links: PaymentLinks = LINKS, now: datetime = NOW) -> str:
    with pytest.raises(ForbiddenError) as caught:
        links.open(text, now)
    return caught.value.code


@given(ids, ids, instants)
def test_a_link_opens_its_own_invoice_and_no_other(account_id: str, invoice_id: str, now: datetime) -> None:
    made = token(LINKS, account_id, invoice_id, now)
    assert LINKS.open(made, now) == PaymentLink(account_id, invoice_id)


@given(st.data())
def test_changing_any_character_makes_it_invalid(data: st.DataObject) -> None:
    made = token()
    position = data.draw(st.integers(0, len(made) - 1))
    other = data.draw(st.characters().filter(lambda char: char != made[position]))
    assert code_of(made[:position] + other + made[position + 1 :]) == "payment_link_invalid"


@given(st.integers(0, 110), st.text(max_size=4))
def test_cutting_or_lengthening_it_makes_it_invalid(length: int, more: str) -> None:
    made = token()
    if made[:length] + more != made:
        assert code_of(made[:length] + more) == "payment_link_invalid"


@given(st.text())
def test_any_other_text_is_invalid_and_never_an_error_of_ours(text: str) -> None:
    assert code_of(text) == "payment_link_invalid"


@pytest.mark.parametrize("text", ["", "....", "a.b.c.d", "\x00", "é" * 40, "a" * 100_000, token() + "\n", " " + token()])
def test_odd_texts_are_invalid(text: str) -> None:
    assert code_of(text) == "payment_link_invalid"


def test_parts_of_two_links_cannot_be_combined() -> None:
    mine, theirs = token().split("."), token(invoice_id="inv_other").split(".")
    assert code_of(".".join([mine[0], theirs[1], mine[2], mine[3]])) == "payment_link_invalid"
    assert code_of(".".join([mine[0], mine[1], theirs[2], theirs[3]])) == "payment_link_invalid"
    # Without the dot as a separator that ids cannot contain, these two would have the same signed text.
    assert token(account_id="a", invoice_id="bc").split(".")[3] != token(account_id="ab", invoice_id="c").split(".")[3]


def test_a_link_lasts_ninety_days_and_not_a_second_more() -> None:
    made = token()
    end = NOW + timedelta(days=90)
    assert LINKS.open(made, end - timedelta(seconds=1)).invoice_id == INVOICE
    assert code_of(made, now=end) == "payment_link_expired"


def test_the_lifetime_is_the_caller_s_choice() -> None:
    links = PaymentLinks([NEW], BASE, timedelta(hours=1))
    assert code_of(token(links), links, NOW + timedelta(hours=1)) == "payment_link_expired"


def test_only_what_we_signed_is_called_expired() -> None:
    forged = token(PaymentLinks([OTHER], BASE))
    assert code_of(forged, now=NOW + timedelta(days=1000)) == "payment_link_invalid"


def test_secrets_rotate() -> None:
    before, during, after = PaymentLinks([OLD], BASE), PaymentLinks([NEW, OLD], BASE), PaymentLinks([NEW], BASE)
    old = token(before)
    assert during.open(old, NOW).invoice_id == INVOICE
    assert token(during) == token(after), "the first secret signs"
    assert code_of(old, after) == "payment_link_invalid"
    assert code_of(token(during), before) == "payment_link_invalid"


def test_a_link_fits_on_a_line_of_an_email() -> None:
    assert len(token()) <= 110
    assert LINKS.link(ACCOUNT, INVOICE, NOW).isascii()


def test_the_base_url_may_end_in_a_slash() -> None:
    assert PaymentLinks([NEW], BASE + "/").link("a", "b", NOW).startswith(f"{BASE}/pay/a.b.")


@pytest.mark.parametrize("secrets", [[], [b""], [b"short"], [NEW, b"s" * 31]])
def test_weak_secrets_are_refused(secrets: list[bytes]) -> None:
    with pytest.raises(ValueError, match="secret"):
        PaymentLinks(secrets, BASE)


def test_a_lifetime_is_above_zero() -> None:
    with pytest.raises(ValueError, match="lifetime"):
        PaymentLinks([NEW], BASE, timedelta(0))


@pytest.mark.parametrize("bad", ["", "a.b", "a/b", "a b", "é", "a" * 81, "a\n"])
def test_ids_that_a_link_cannot_carry_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="ids"):
        LINKS.link(bad, INVOICE, NOW)
    with pytest.raises(ValueError, match="ids"):
        LINKS.link(ACCOUNT, bad, NOW)


# Masks (D11)


@given(ids, ids, instants, st.text(max_size=20), st.text(max_size=20))
def test_D11_a_masked_link_opens_nothing_and_is_undone_to_the_byte(
    account_id: str, invoice_id: str, now: datetime, before: str, after: str
) -> None:
    text = f"{before} {LINKS.link(account_id, invoice_id, now)} {after}"
    masked = LINKS.masked(text)
    assert token(LINKS, account_id, invoice_id, now) not in masked
    assert code_of(masked.split("/pay/", 1)[1].split(" ")[0], now=now) == "payment_link_invalid"
    assert LINKS.unmasked(masked) == text


def test_D11_a_mask_outlives_the_rotation_of_the_secret_that_signed() -> None:
    text = PaymentLinks([OLD], BASE).link(ACCOUNT, INVOICE, NOW)
    assert PaymentLinks([NEW, OLD], BASE).unmasked(PaymentLinks([OLD], BASE).masked(text)) == text


def test_D11_nobody_gets_a_link_signed_by_writing_a_masked_one() -> None:
    """Into a name, say, that stands in a letter to them: the mask of one link is not that of another."""
    masked = LINKS.masked(LINKS.link(ACCOUNT, INVOICE, NOW))
    others = masked.replace(INVOICE, "inv_of_somebody_else")
    assert LINKS.unmasked(others) == others
    foreign = PaymentLinks([OTHER], BASE).masked(PaymentLinks([OTHER], BASE).link(ACCOUNT, INVOICE, NOW))
    assert LINKS.unmasked(foreign) == foreign


def test_links_that_we_did_not_sign_are_left_alone() -> None:
    forged = PaymentLinks([OTHER], BASE).link(ACCOUNT, INVOICE, NOW)
    assert LINKS.masked(forged) == forged
