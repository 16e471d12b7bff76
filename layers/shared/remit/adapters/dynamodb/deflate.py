"""Small JSON, stored small: deflated with a dictionary of the words that all our documents share.

An invoice of ten lines takes about 830 bytes so, and 1,180 without the dictionary; the answer to issuing it, which its guard
keeps, 870 and 1,490. A write unit is one kilobyte, and an item in a transaction is paid for twice.

A stored stream names its dictionary by checksum (RFC 1950, DICTID), so a dictionary is never changed or removed once
anything was written with it. A better one is added to `_DICTIONARIES`, and `_NEWEST` is used for writing.
"""

import base64
import zlib
from pathlib import Path

_DICTIONARY_1 = (
    b'{"id":"msg_dunning_inv_01","template":"dunning_tier_1","template_version":"en-","to":"ap@.example","subject":"","model'
    b'":{"firm":{"address":[],"VAT "]},"account":{"name":""},"tier":,"as_of":{"iso":"2026-","text":""},"oldest_due":{"iso":"'
    b'2026-","text":""},"oldest_days":" days","invoices":["due_on":{"iso":"2026-","text":""},"days_overdue":,"overdue_text":'
    b'" days","open":{"minor":,"text":""},"pay_url":null}],"invoice_count":,"totals":["overdue":{"minor":,"text":""},"credit'
    b'":null,"net":{"minor":,"text":""}}],"to_pay":"EUR ","first_to_pay":{"due_on":{"iso":"2026-","text":""},"days_overdue":'
    b',"overdue_text":" days","open":{"minor":,"text":""},"pay_url":null}},"status":"sending","claimed_at":"2026-T","about":'
    b'["inv_01"]}{"id":"bat_01","reserved_at":"2026-T","actor":{"reserved":},{"reserved":}]}"id":"bat_01"},"id":"acc_01","de'
    b'fault_currency":"EUR","language":"en","time_zone":null,"default_term_id":null,"contacts":["phone":"","role":"billing"}'
    b'],"value":"DE"}],"tags":[],"notes":null,"send_invoices":true,"dunning":true,"mode_changes":[],"credit_limits":{},"appl'
    b'y_credits":false,"collect_automatically":false,"auto_top_up":null,"saved_methods":[],"default_method":null},"id":"ref_'
    b'01","requested_on":"2026-","requested_at":"2026-T","requested_by":{"id":"","channel":"api"},"approved_by":null,"cancel'
    b'able_on":"2026-","submit_at":null,"gateway_id":null,"sources":[{"account":"receivable","document_id":"inv_01","acc_01.'
    b'EUR.",{"series":"CN-2026","rma":""}"id":"crn_01","number":"CN-2026-000","invoice_number":"INV-2026-000","invoice_issue'
    b'd_on":"2026-","rma":"","line":,"gross_minor":},{"line":,"gross_minor":}],"applied_minor":,"credit_id":"crd_01","credit'
    b'":{"kind":"credit_memo","tax_code":null,"is_refundable":true,"credit_note_id":"crn_01","acc_01.EUR."]}},"id":"crd_01",'
    b'"kind":"goodwill","tax_option":"included","expired_minor":,"expires_on":null,"reason":"","subscription_id":null,"is_re'
    b'fundable":false,"credit_note_id":null,"invoice_id":null,"reversed_by":null,{"payment_id":"pay_01","status":"succeeded"'
    b'},"method":"card","status":"pending","state":"outstanding","value_date":null,{"invoice_id":"inv_01","amount_minor":}],'
    b'"entries":[]},"id":"pay_01","unapplied_minor":,"refunded_minor":,"disputed_minor":,"refundable_minor":,"wallet_minor":'
    b',"method":"bank_transfer","status":"succeeded","state":"cleared","created_at":"2026-T","value_date":"2026-","failure":'
    b'null,"is_hard_failure":false,"saved_method":null,"fee":null,"capture_minor":null,"authorized_until":null,"look_up_at":'
    b'null,"intended":[],"allocations":[],"transactions":[],"disputes":[],"gateway_ids":[],{"reference":"PO-"}"id":"ord_01",'
    b'"status":"draft","version":,"placed_at":"2026-T","revised_at":null,"canceled_at":null,"invoice_id":null},{"id":"inv_01'
    b'","number":"INV-2026-000","series":"INV-2026","account_id":"acc_01","order_id":"ord_01","issued_on":"2026-","issued_at'
    b'":"2026-T","seller":{"name":"","email":"billing@.com","address":{"line1":"","city":"","country":"NL","postal_code":""}'
    b',"tax_ids":[{"type":"eu_vat","value":"NL"}]},"buyer":{"name":" GmbH","email":"ap@.com","address":{"line1":"","city":""'
    b',"country":"DE","line2":"","postal_code":""},"tax_ids":[{"type":"eu_vat","value":"DE"}]},"priced":{"currency":"EUR","p'
    b'rices_include_tax":false,"lines":[{"description":"Service, January February March 2026","quantity":"1","unit_price_min'
    b'or":,"amount_minor":,"tax_code":{"code":"VAT21","kind":"standard","rate":"21"},"category":"services"},{"description":"'
    b'Consulting, hours","quantity":"2.5","unit_price_minor":,"amount_minor":,"tax_code":{"code":"VAT21","kind":"standard","'
    b'rate":"21"},"category":"services"}],"totals":{"net_minor":,"tax_minor":,"gross_minor":,"subtotals":[{"tax_code":{"code'
    b'":"VAT21","kind":"standard","rate":"21"},"taxable_minor":,"tax_minor":},{"tax_code":{"code":"VAT9","kind":"standard","'
    b'rate":"9"},"taxable_minor":,"tax_minor":}],"net_by_category":{"services":}}},"term":{"id":"net30","name":"Net 30","par'
    b'ts":[{"due":{"rule":"net_days","days":}}]},"parts":[{"due_date":"2026-","amount_minor":,"open_minor":}],"reference":"P'
    b'O-","sold_on":"2026-"}{"fingerprint":"","answer":{"id":"inv_01","number":"INV-2026-000","series":"INV-2026","account_i'
    b'd":"acc_01","order_id":"ord_01","kind":"products","mode":"postpaid","issued_on":"2026-","status":"issued","overdue":fa'
    b'lse,"total_minor":,"open_minor":,"written_off_minor":,"recovered_minor":,"reference":"PO-","note":null,"template_versi'
    b'on":"invoice-1","seller":{"name":"","email":"billing@.com","address":{"line1":"","line2":null,"postal_code":"","city":'
    b'"","region":null,"country":"NL"},"tax_ids":[{"type":"eu_vat","value":"NL"}]},"buyer":{"name":" GmbH","email":"ap@.com"'
    b',"address":{"line1":"","line2":"","postal_code":"","city":"","region":null,"country":"DE"},"tax_ids":[{"type":"eu_vat"'
    b',"value":"DE"}]},"term":{"id":"net30","name":"Net 30","parts":[{"due":{"rule":"net_days","days":,"on":null},"percent":'
    b'null,"fixed_minor":null}],"methods":["card","bank_debit","bank_transfer","cash","check","card_terminal","other"],"curr'
    b'ency":null,"discount":null,"collect":{},"card_fee":null},"totals":{"currency":"EUR","prices_include_tax":false,"net_mi'
    b'nor":,"tax_minor":,"gross_minor":,"payable_minor":,"taxes":[{"tax_code":{"code":"VAT21","kind":"standard","rate":"21",'
    b'"reason":null},"taxable_minor":,"tax_minor":},{"tax_code":{"code":"VAT9","kind":"standard","rate":"9","reason":null},"'
    b'taxable_minor":,"tax_minor":}]},"lines":[{"description":"Service, January February March 2026","quantity":"1","unit_pr'
    b'ice_minor":,"amount_minor":,"tax_code":"VAT21","category":"services","charge":null},{"description":"Consulting, hours"'
    b',"quantity":"2.5","unit_price_minor":,"amount_minor":,"tax_code":"VAT21","category":"services","charge":null}],"deposi'
    b'ts":[],"discount":null,"parts":[{"due_date":"2026-","amount_minor":,"open_minor":,"status":"open","days_overdue":}],"m'
    b'ethods":["card","bank_debit","bank_transfer","cash","check","card_terminal","other"],"subscription":null,"reverses":nu'
    b'll,"deducted_on":null,"credit_notes":[],"settlements":[],"postponements":[],"deliveries":[],"delivered_percent":"0","d'
    b'isputed_by":[],"collect_on":null,"entries":["acc_01.EUR."]},"recorded_at":"2026-T"}'
)
"""The later something stands, the cheaper it is to point at: last the answer to issuing an invoice, before it the document."""

_MAILS = tuple(
    zlib.decompress(base64.b85decode(Path(__file__).with_name(f"mails_{language}_1.b85").read_bytes()))
    for language in ("de", "en")
)
"""For messages with the letters that they carry, a dictionary a language: pieces of all its letters of November 2026, and last a
whole one. A message with a letter of 15 to 23 kilobytes takes 430 to 730 bytes so, and 3,300 without."""
_DICTIONARIES = {zlib.adler32(dictionary): dictionary for dictionary in (_DICTIONARY_1, *_MAILS)}
_NEWEST = _DICTIONARY_1

_HAS_DICTIONARY = 0x20  # FDICT, in the second byte


def deflate(data: bytes) -> bytes:
    """`data`, compressed as a zlib stream (RFC 1950) with our dictionary."""
    return _deflated(data, _NEWEST)


def deflate_mail(data: bytes) -> bytes:
    """`data` with a letter in it, by the dictionary that suits its language best."""
    return min((_deflated(data, dictionary) for dictionary in _MAILS), key=len)


def _deflated(data: bytes, dictionary: bytes) -> bytes:
    compressor = zlib.compressobj(9, memLevel=9, zdict=dictionary)
    return compressor.compress(data) + compressor.flush()


def inflate(stream: bytes) -> bytes:
    """What was deflated, with whichever of our dictionaries, or with none."""
    if not stream[1] & _HAS_DICTIONARY:
        return zlib.decompress(stream)
    decompressor = zlib.decompressobj(zdict=_DICTIONARIES[int.from_bytes(stream[2:6])])
    return decompressor.decompress(stream) + decompressor.flush()
