"""template.yaml as tests look at it: routes with their scopes, functions with their rights, with the intrinsics kept."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from local.stack import ROOT


class _Loader(yaml.SafeLoader):
    """Reads `!Ref X` as `{"Ref": "X"}`, and so on."""


def _intrinsic(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag == "Ref" else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


@cache
def template() -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506
    return found


@cache
def resources(type_: str) -> dict[str, dict[str, Any]]:
    """Logical id → properties, of all resources of a type."""
    return {name: found.get("Properties", {}) for name, found in template()["Resources"].items() if found["Type"] == type_}


def functions() -> dict[str, dict[str, Any]]:
    return resources("AWS::Serverless::Function")


@dataclass(frozen=True)
class Route:
    """A route of the API; `scope` None where no token is asked for."""

    method: str
    path: str
    scope: str | None

    def filled(self, **values: str) -> str:
        """The path with its parameters: those given, or ids that nothing has."""
        names = {
            "account_id": "acc_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "order_id": "ord_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "invoice_id": "inv_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "payment_id": "pay_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "credit_id": "crd_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "credit_note_id": "crn_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "refund_id": "ref_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "subscription_id": "sub_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "plan_id": "nothing",
            "charge_id": "chg_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "batch_id": "bat_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "message_id": "msg_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "method_id": "pm_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "schedule_id": "sch_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "export_id": "exp_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "policy_id": "nobodys",
            "trial_id": "ptr_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "run_id": "dun_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "currency": "EUR",
            "name": "invoice_issued",
            "language": "en",
            "version": "tpl_01jdzzzzzzzzzzzzzzzzzzzzzz",
            "token": "none",
        } | values
        return self.path.format(**names)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> list[Route]:
    found = []
    for properties in functions().values():
        for event in properties.get("Events", {}).values():
            if event["Type"] == "HttpApi":
                route = event["Properties"]
                scopes = route.get("Auth", {}).get("AuthorizationScopes")
                is_open = route.get("Auth", {}).get("Authorizer") == "NONE"
                assert is_open != bool(scopes), f"{route['Path']} either asks for a scope or is open on purpose"
                found.append(Route(route["Method"], route["Path"], scopes[0] if scopes else None))
    return sorted(found, key=str)
