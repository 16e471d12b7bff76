import time
def test_it(office, dynamodb):
    t=time.time()
    a = office.account()
    i = office.invoice(a)
    print(time.time()-t)
    office.receive(a, 15000, {i: 12100})
    from remit.usecases.replay_account import replay_account
    assert replay_account(a, office.books, office.journal).differences == ()
    from tests.integration.table import recreate_table
    t=time.time(); recreate_table(dynamodb, "remit"); print("recreate", time.time()-t)
    from tests.integration.ledger import connection
    c=connection().connection
    t=time.time(); c._client=None; c.client; print("client", time.time()-t)
