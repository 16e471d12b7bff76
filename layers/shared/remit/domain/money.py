"""Money in minor units, rounding, and shares that add up.

Amounts are integers in the currency's minor unit (cents for EUR, yen for JPY, fils for KWD): a
`float` never holds money, and a `Decimal` only rates and quantities on their way to an integer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from remit.domain.errors import InvalidError

# The exponents of ISO 4217 that are not 2 (list one, 2024-06-25). Funds codes, metals and testing codes
# (XAU, XTS…) are left out on purpose: nothing can be invoiced in them.
_EXPONENT_0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()
_EXPONENT_3 = "BHD IQD JOD KWD LYD OMR TND".split()
_EXPONENT_2 = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
    "CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
    "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
    "MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD "
    "SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER "
    "ZAR ZMW ZWG"
).split()

EXPONENTS: dict[str, int] = dict.fromkeys(_EXPONENT_2, 2) | dict.fromkeys(_EXPONENT_0, 0) | dict.fromkeys(_EXPONENT_3, 3)
"""ISO 4217 currency code → digits after the decimal point."""

MAX_MINOR = 10**15
"""No single amount may exceed this: far above any invoice, and exact in JSON's 53-bit integers."""


def exponent(currency: str) -> int:
    """Digits after the decimal point of `currency`; `InvalidError` for a code that ISO 4217 does not list."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise InvalidError("unknown_currency", f"{currency!r} is not an ISO 4217 currency.", currency=currency) from None


def decimal_text(amount_minor: int, currency: str) -> str:
    """The amount with the currency's digits and a dot, for files and machines.

    >>> decimal_text(-1205, "EUR"), decimal_text(1205, "JPY"), decimal_text(5, "KWD")
    ('-12.05', '1205', '0.005')
    """
    digits = exponent(currency)
    if digits == 0:
        return str(amount_minor)
    sign = "-" if amount_minor < 0 else ""
    whole, part = divmod(abs(amount_minor), 10**digits)
    return f"{sign}{whole}.{part:0{digits}d}"


def round_half_up(value: Decimal) -> int:
    """The nearest integer, halves away from zero: the rounding of EN 16931 and of most tax laws.

    >>> round_half_up(Decimal("2.5")), round_half_up(Decimal("-2.5")), round_half_up(Decimal("2.4999"))
    (3, -3, 2)
    """
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def split(total_minor: int, weights: Sequence[int | Decimal]) -> tuple[int, ...]:
    """Divide `total_minor` (≥ 0) in proportion to `weights` (≥ 0, not all 0) so that the shares sum to it exactly.

    Largest remainder: every share is first rounded down, then the units left over go to the largest
    remainders, ties to the earlier share. No share is off by a whole unit.

    >>> split(100, [1, 1, 1])
    (34, 33, 33)
    """
    whole = sum(Decimal(weight) for weight in weights)
    if total_minor < 0 or whole <= 0 or any(weight < 0 for weight in weights):
        raise InvalidError("bad_split", "Shares need a total that is not negative and a positive sum of weights.")
    exact = [Decimal(total_minor) * Decimal(weight) / whole for weight in weights]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[: total_minor - sum(shares)]:
        shares[i] += 1
    return tuple(shares)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency. Adding two currencies raises instead of guessing (L8)."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        exponent(self.currency)
        if isinstance(self.amount_minor, bool) or not isinstance(self.amount_minor, int):
            raise InvalidError("amount_not_integer", "An amount is a whole number of minor units.")
        if abs(self.amount_minor) > MAX_MINOR:
            raise InvalidError("amount_too_large", f"Amounts go up to {MAX_MINOR} minor units.", max_minor=MAX_MINOR)

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount_minor - other.amount_minor, self.currency)

    def __str__(self) -> str:
        return f"{self.currency} {decimal_text(self.amount_minor, self.currency)}"

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise InvalidError("currency_mismatch", f"{self.currency} and {other.currency} cannot be added.")
