"""Currencies that Stripe charges in, their decimals and the least and most that it accepts.

Sources: https://docs.stripe.com/currencies (list, zero-decimal and three-decimal currencies, minimum and
maximum charge amounts). Where Stripe publishes no minimum the real one depends on the settlement
currency's rate; the double then accepts one minor unit.
"""

from __future__ import annotations

from local.stripe_double.errors import ApiError, invalid_request

AMOUNT_MAX = 99_999_999

_TWO_DECIMALS = """
    usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf
    chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils
    inr isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad
    ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl
    thb tjs top try ttd twd tzs uah ugx uyu uzs wst xcd xcg yer zar zmw
""".split()
_ZERO_DECIMALS = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()
_THREE_DECIMALS = "bhd jod kwd omr tnd".split()

DECIMALS: dict[str, int] = dict.fromkeys(_TWO_DECIMALS, 2) | dict.fromkeys(_ZERO_DECIMALS, 0) | dict.fromkeys(_THREE_DECIMALS, 3)

AMOUNT_MIN: dict[str, int] = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500,
    "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000,
    "myr": 200, "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip


def known_currency(code: str, param: str = "currency") -> str:
    """The currency in lower case, as Stripe stores it; unknown codes are refused."""
    currency = code.lower()
    if currency not in DECIMALS:
        raise invalid_request(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: {', '.join(DECIMALS)}",
            param=param,
        )
    return currency


def check_charge_amount(amount: int, currency: str, param: str = "amount") -> None:
    """Refuse an amount that Stripe does not charge: too small, too large, or not settleable.

    Three-decimal currencies must be multiples of ten minor units (KWD 5.124 is refused, 5.120 is not).
    """
    if amount > AMOUNT_MAX:
        limit = major_units(AMOUNT_MAX, currency)
        raise invalid_request(f"Amount must be no more than {limit} {currency}", param=param, code="amount_too_large")
    if amount < AMOUNT_MIN.get(currency, 1):
        raise amount_too_small("Amount must be at least", currency, param)
    if DECIMALS[currency] == 3 and amount % 10:
        raise invalid_request(f"Invalid amount: amounts in {currency} must be divisible by 10.", param=param)


def amount_too_small(beginning: str, currency: str, param: str | None = None) -> ApiError:
    """``amount_too_small``, worded for an amount or for a session's total."""
    least = major_units(AMOUNT_MIN.get(currency, 1), currency)
    return invalid_request(f"{beginning} {least} {currency}", param=param, code="amount_too_small")


def major_units(amount: int, currency: str) -> str:
    """An amount for people: ``major_units(123456, "eur") == "1,234.56"``."""
    decimals = DECIMALS[currency]
    whole, fraction = divmod(amount, 10**decimals)
    return f"{whole:,}" + (f".{fraction:0{decimals}d}" if decimals else "")
