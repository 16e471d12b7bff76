"""The table of template.yaml, created on the engine."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
_SHARED_WITH_API = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


class _TemplateLoader(yaml.SafeLoader):
    """Reads the template without resolving its functions (`!Ref`, `!If`…): the table's definition has none that matter."""


_TemplateLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


@cache
def table_properties() -> dict[str, Any]:
    """The properties of the template's one table."""
    template = yaml.load(TEMPLATE.read_text(), Loader=_TemplateLoader)  # noqa: S506 - a SafeLoader
    tables = [each for each in template["Resources"].values() if each["Type"] == "AWS::DynamoDB::Table"]
    (table,) = tables
    properties: dict[str, Any] = table["Properties"]
    return properties


def create_table(client: Any, name: str) -> None:
    """Create the table as CloudFormation would, but for its time to live.

    The tests' clock is not the machine's: to the engine their guards may have expired long ago, and it would remove them.
    """
    properties = table_properties()
    client.create_table(
        TableName=name,
        StreamSpecification={"StreamEnabled": True} | properties["StreamSpecification"],
        **{key: properties[key] for key in _SHARED_WITH_API},
    )


def recreate_table(client: Any, name: str) -> None:
    """An empty table, whatever was there before."""
    if name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
    create_table(client, name)
