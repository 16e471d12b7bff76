"""Run in a process of its own: imports one handler, makes it use all that it has, and prints what that took.

Prints one line of JSON: `chains` (top-level package → the modules through which it was first imported) and `clients`
(the service of each botocore client made).
"""

import gc
import json
import sys
from collections.abc import Callable
from typing import Any

importers: dict[str, str] = {}
"""Module → the module whose import statement brought it in first."""


class ImportWatcher:
    """Asked for every module that is not loaded yet; finds none, but notes who asked."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        frame = sys._getframe(1)
        while frame.f_back and (frame.f_code.co_filename.startswith("<frozen") or frame.f_globals.get("__name__") == "importlib"):
            frame = frame.f_back
        importers.setdefault(name, frame.f_globals.get("__name__", "?"))


def chain(package: str) -> list[str]:
    found = [package]
    while (importer := importers.get(found[0])) and importer not in found:
        found.insert(0, importer)
    return found


def watch_clients(made: list[str]) -> None:
    import botocore.session

    original: Callable[..., Any] = botocore.session.Session.create_client

    def counting(self: Any, service_name: str, *args: Any, **how: Any) -> Any:
        made.append(service_name)
        return original(self, service_name, *args, **how)

    botocore.session.Session.create_client = counting  # type: ignore[method-assign]


def use_everything(handler: Any) -> None:
    """What makes clients: every record class asked for its connection, every secret, every mailer and store."""
    for record in [thing for thing in gc.get_objects() if isinstance(thing, type) and is_record(thing)]:
        books = sys.modules["remit.adapters.dynamodb.books"]
        _ = books.connection().connection.client
        _ = record._get_connection().connection.client  # type: ignore[attr-defined]
    secret = json.dumps({"api_key": "k", "current": "x" * 32, "webhook_secret": "w", "previous": "y" * 32})
    answer_instead_of_aws({"GetSecretValue": {"SecretString": secret}})
    for _ in range(2):
        for name, arguments in {
            "payment_links": ("https://x.example",),
            "stripe_gateway": ("https://stripe.example",),
            "deployed_mailer": (Firm(),),
            "store": (),
        }.items():
            if hasattr(handler, name):
                getattr(handler, name)(*arguments)
        if hasattr(handler, "secrets"):
            handler.secrets("GATEWAY_SECRET_ARN", "webhook_secret", "webhook_secret_previous")


class Firm:
    name, email = "Firm", "firm@x.example"


def is_record(thing: type) -> bool:
    return any(base.__module__ == "remit.adapters.dynamodb.records" and base.__name__ == "Record" for base in thing.__mro__)


def answer_instead_of_aws(answers: dict[str, Any]) -> None:
    import botocore.client

    def answered(self: Any, operation: str, parameters: Any) -> Any:
        return answers[operation]

    botocore.client.BaseClient._make_api_call = answered  # type: ignore[attr-defined]


def main() -> None:
    made: list[str] = []
    sys.meta_path.insert(0, ImportWatcher())
    handler = __import__("handler")
    chains = {package: chain(package) for package in {name.partition(".")[0] for name in sys.modules}}
    if "botocore" in chains:
        # Clients that the import made already are found as objects; those to come are counted as they are made.
        import botocore.client

        made += [
            thing.meta.service_model.service_name for thing in gc.get_objects() if isinstance(thing, botocore.client.BaseClient)
        ]
        watch_clients(made)
        use_everything(handler)
    print(json.dumps({"chains": chains, "clients": made}))


main()
