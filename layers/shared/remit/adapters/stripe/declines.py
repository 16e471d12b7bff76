"""Which of Stripe's decline and failure codes mean that the same method will fail again (S4).

Trying such a method again is pointless, and card networks charge for it: the payer has to act, or to use another method.
Everything else may go through later: no funds today, a limit reached, a bank that did not answer.

Sources: https://docs.stripe.com/declines/codes, https://docs.stripe.com/billing/revenue-recovery/smart-retries (hard
declines), https://docs.stripe.com/payments/sepa-debit#failed-payments, https://docs.stripe.com/error-codes.
"""

HARD_CARD_DECLINES = frozenset(
    """
    authentication_required authentication_not_handled card_not_supported currency_not_supported do_not_try_again
    expired_card fraudulent highest_risk_level incorrect_address incorrect_cvc incorrect_number incorrect_zip
    invalid_account invalid_cvc invalid_expiry_month invalid_expiry_year invalid_number lost_card merchant_blacklist
    new_account_information_available pickup_card restricted_card revocation_of_all_authorizations
    revocation_of_authorization security_violation stolen_card stop_payment_order transaction_not_allowed
    """.split()
)
"""The issuer will not change its mind about this card, or the payer has to take part."""

HARD_DEBIT_FAILURES = frozenset(
    """
    account_closed bank_account_restricted bank_account_unusable bank_ownership_changed branch_does_not_exist
    debit_not_authorized generic_could_not_process incorrect_account_holder_name invalid_account_number invalid_currency
    no_account recipient_deceased mandate_invalid payment_method_not_available
    """.split()
)
"""The account or its mandate is gone."""

SOFT_RETURNS = frozenset({"insufficient_funds", "bank_cannot_process"})
"""Reasons of the dispute by which Stripe tells that a debit came back, with which it may be tried again. The others say that
the payer or the bank objects, or that the account is gone (https://docs.stripe.com/api/disputes/object#dispute_object-reason)."""

HOPELESS_ADVICE = frozenset({"do_not_try_again", "confirm_card_data"})
"""The card network's own advice, where it gives one: never, or not before the holder has put the card's data right. The third,
`try_again_later`, leaves it to the code (https://docs.stripe.com/declines/card#retrying-issuer-declines)."""


def is_hard(code: str | None, advice: str | None = None) -> bool:
    """Whether another try of the same method is pointless.

    >>> is_hard("lost_card"), is_hard("insufficient_funds"), is_hard("generic_decline", "do_not_try_again")
    (True, False, True)
    """
    return advice in HOPELESS_ADVICE or code in HARD_CARD_DECLINES or code in HARD_DEBIT_FAILURES
