"""Small JSON, stored small: deflated with a dictionary of the words that all our documents share.

An invoice of ten lines takes about 700 bytes so, and 1,200 without the dictionary: a write unit is one kilobyte, and an
invoice is written three times over (the item twice, being in a transaction, and its place in an index).

A stored stream names its dictionary by checksum (RFC 1950, DICTID), so a dictionary is never changed or removed once
anything was written with it. A better one is added to `_DICTIONARIES`, whose last one is used for writing.
"""

import zlib

_DICTIONARY_1 = (
    b'{"template":"dunning_tier_1","template_version":"","subject":"","model":{"status":"sent","claimed_at":"sent_at":""prov'
    b'ider_id":"failure":null,"language":"en","time_zone":"Europe/","default_term_id":"contacts":[],"tags":[],"notes":"defau'
    b'lt_currency":"created_at":"send_invoices":true,"dunning":true}"currency":"USD","currency":"GBP","unapplied_minor":0,"m'
    b'ethod":"card","status":"pending","status":"succeeded","value_date":null,"allocations":[{"invoice_id":"inv_01"transacti'
    b'ons":[],"gateway_ids":["pi_cs_ch_"reason":"tax_option":"included","open_minor":"issued_on":"20{"kind":"idempotency","v'
    b'alue":"","answer":{"id":"ord_01","account_id":"acc_01","placed_at":"20","reference":null,"term":{"id":"inv_01","number'
    b'":"INV-2026-000001","series":"INV-2026","account_id":"acc_01","order_id":"ord_01","issued_on":"2026-"issued_at":"2026-'
    b'01-01T00:00:00.000000Z","status":"issued","overdue":false,"open_minor":"reference":"PO-"seller":{"name":"email":"billi'
    b'ng@","address":{"line1":"street","line2":null,"city":"","country":"NL","postal_code":"1000","region":null},"city":"cou'
    b'ntry":"DE","tax_ids":[{"type":"eu_vat","value":"NL000000000B01"}]},"buyer":{"name":" GmbH","email":"info@ap@.com.examp'
    b'le","address":null,"tax_ids":[]},"term":{"id":"net30","name":"Net 30","due":"net_days","days":30,"methods":["card","ba'
    b'nk_transfer","cash","check","card_terminal","other"]},{"id":"on_receipt","name":"Due on receipt","due":"on_receipt","d'
    b'ays":0,"methods":["card","bank_transfer","cash","check","card_terminal","other"]},"priced":{"totals":{"currency":"EUR"'
    b',"prices_include_tax":false,"net_minor":"tax_minor":"gross_minor":"taxes":[{"tax_code":{"code":"VAT9","kind":"standard'
    b'","rate":"9","reason":null},"taxable_minor":"tax_minor":}]},"prices_include_tax":false,"lines":[{"description":"Servic'
    b'e, January February March 2026","quantity":"1","unit_price_minor":1000,"amount_minor":1000,"tax_code":"VAT21","categor'
    b'y":"sales"},{"description":"Consulting, hours","quantity":"2.5","unit_price_minor":9500,"amount_minor":5000,"tax_code"'
    b':{"code":"VAT21","kind":"standard","rate":"21","reason":null},"category":"services"},{"description":"","quantity":"1",'
    b'"unit_price_minor":"amount_minor":"tax_code":{"code":"VAT21","kind":"standard","rate":"21","reason":null},"category":"'
    b'services"}],"totals":{"net_minor":"tax_minor":"gross_minor":"subtotals":[{"tax_code":{"code":"VAT21","kind":"standard"'
    b',"rate":"21","reason":null},"taxable_minor":"tax_minor":}],"net_by_category":{"services":}}},"parts":[{"due_date":"202'
    b'6-01-01","amount_minor":,"open_minor":}],"reference":null,"template_version":"invoice-1"}"methods":["card","bank_trans'
    b'fer","cash","check","card_terminal","other"],"entries":["acc_01.EUR.1"]},"recorded_at":"2026-01-01T00:00:00.000000Z"}'
)
_DICTIONARY_2 = _DICTIONARY_1 + (
    b'"revised_at":"canceled_at":null,"note":null,"kind":"products","version":"address":{"line1":"","line2":null,"postal_cod'
    b'e":"","city":"","region":null,"country":"NL"},"tax_ids":[{"type":"eu_vat","value":"DE"}]},"term":{"id":"net30","name":'
    b'"Net 30","parts":[{"due":{"rule":"net_days","days":30,"on":null},"percent":null,"fixed_minor":null}],"methods":["card"'
    b',"bank_debit","bank_transfer","cash","check","card_terminal","other"],"currency":null,"discount":null,"collect":{},"ca'
    b'rd_fee":null},"totals":{"currency":"EUR","prices_include_tax":false,"net_minor":"subtotals":[{"tax_code":{"code":"VAT2'
    b'1","kind":"standard","rate":"21"},"taxable_minor":"tax_minor":},{"tax_code":{"code":"VAT9","kind":"standard","rate":"9'
    b'"},"taxable_minor":"net_by_category":{"}}},"term":{"id":"net30","name":"Net 30","parts":[{"due":{"rule":"net_days","da'
    b'ys":30}}]},"parts":[{"due_date":"2026-01-01","amount_minor":"reference":"PO-","sold_on":"2026-"},"parts":[{"due_date":'
    b'"2026-01-01","amount_minor":,"open_minor":}],"methods":["card","bank_debit","bank_transfer","cash","check","card_termi'
    b'nal","other"],"entries":[]},"recorded_at":"2026-,"tax_code":{"code":"VAT21","kind":"standard","rate":"21"},"category":'
    b'"services"},{"description":"","quantity":"1","unit_price_minor":"amount_minor":,"tax_code":"VAT21","category":"service'
    b's"},{"description":"","quantity":"1","unit_price_minor":'
)
"""With terms of parts, and without the fields that stand at their default."""
_DICTIONARIES = {zlib.adler32(dictionary): dictionary for dictionary in (_DICTIONARY_1, _DICTIONARY_2)}
_NEWEST = _DICTIONARY_2

_HAS_DICTIONARY = 0x20  # FDICT, in the second byte


def deflate(data: bytes) -> bytes:
    """`data`, compressed as a zlib stream (RFC 1950) with our dictionary."""
    compressor = zlib.compressobj(9, zdict=_NEWEST)
    return compressor.compress(data) + compressor.flush()


def inflate(stream: bytes) -> bytes:
    """What was deflated, with whichever of our dictionaries, or with none."""
    if not stream[1] & _HAS_DICTIONARY:
        return zlib.decompress(stream)
    decompressor = zlib.decompressobj(zdict=_DICTIONARIES[int.from_bytes(stream[2:6])])
    return decompressor.decompress(stream) + decompressor.flush()
