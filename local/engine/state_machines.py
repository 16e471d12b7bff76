"""Fixes of Step Functions: batching, results and concurrency of a distributed map, and definitions in YAML."""

import json
from typing import Any

import yaml
from ministack.services import s3, stepfunctions
from ministack.services.cloudformation import provisioners

JSON = {"content-type": "application/json"}
OUTPUT_FIELDS = ("ResultSelector", "ResultPath", "OutputPath")


def install() -> None:
    """Mend the distributed map and the reading of definitions."""
    _install_distributed_map()
    _install_yaml_definitions()


def _install_yaml_definitions() -> None:
    """Read a state machine's definition in YAML.

    Stock: only JSON is understood, and a machine in YAML fails when it is started. AWS: CloudFormation takes both from
    `DefinitionS3Location`, which is where SAM puts an `.asl.yaml` file.
    """
    stock = provisioners._sfn_definition

    def definition(properties: dict) -> str:
        text: str = stock(properties)
        return text if text.lstrip().startswith("{") else json.dumps(yaml.safe_load(text))

    provisioners._sfn_definition = definition


def _install_distributed_map() -> None:
    """Batch the items of a distributed map, write its results to S3, and take its concurrency from its input.

    Stock: ``ItemBatcher`` and ``ResultWriter`` are ignored: each item starts an execution of its own, and the state's
    output is the array of all results. AWS: items are grouped (``{"Items": [...], "BatchInput": ...}``), and with a
    result writer the output is a pointer to a manifest beside the result files. Stock: ``MaxConcurrencyPath`` is ignored, so up
    to 64 items are worked on at once. AWS: the number is taken from the state's input.
    """
    stock = stepfunctions._run_distributed_map

    def run(state: dict, raw_input: Any, effective: Any, iterator: dict, execution: dict, context: dict) -> tuple:
        state = dict(state)
        if "MaxConcurrencyPath" in state:
            state["MaxConcurrency"] = stepfunctions._resolve_path_or_ctx(state.pop("MaxConcurrencyPath"), effective, context)
        batcher, writer = state.pop("ItemBatcher", None), state.pop("ResultWriter", None)
        items_input = effective
        if batcher:
            items_input = _batches(state, batcher, effective, context)
            for replaced in ("ItemReader", "ItemSelector"):
                state.pop(replaced, None)
            state["ItemsPath"] = "$"
        target = (writer or {}).get("Parameters")
        if not target:
            return stock(state, raw_input, items_input, iterator, execution, context)

        output_fields = {name: state.pop(name) for name in OUTPUT_FIELDS if name in state}
        _, next_state = stock(state, raw_input, items_input, iterator, execution, context)
        written = _write_results(stepfunctions._resolve_params_obj(target, effective, context), execution)
        selected = stepfunctions._apply_result_selector(output_fields, written)
        output = stepfunctions._apply_result_path(output_fields, raw_input, selected)
        return stepfunctions._apply_output_path(output_fields, output, context), next_state

    stepfunctions._run_distributed_map = run


def _batches(state: dict, batcher: dict, effective: Any, context: dict) -> list[dict]:
    if state.get("ItemReader"):
        items = stepfunctions._read_map_items(state["ItemReader"], effective, context)
    else:
        items = stepfunctions._resolve_path_or_ctx(state.get("ItemsPath", "$"), effective, context)
    selector = state.get("ItemSelector")
    if selector:
        items = [
            stepfunctions._resolve_params_obj(selector, effective, {**context, "Map": {"Item": {"Index": index, "Value": item}}})
            for index, item in enumerate(items)
        ]
    size = int(batcher.get("MaxItemsPerBatch") or len(items) or 1)
    shared = {}
    if "BatchInput" in batcher:
        shared["BatchInput"] = stepfunctions._resolve_params_obj(batcher["BatchInput"], effective, context)
    return [{**shared, "Items": items[start : start + size]} for start in range(0, len(items), size)]


def _write_results(target: dict, execution: dict) -> dict:
    """Write result files and the manifest to S3; returns the state's output. The run just ended is the latest one."""
    runs = [run for run in stepfunctions._map_runs.all_values() if run["executionArn"] == execution["executionArn"]]
    run_arn = runs[-1]["mapRunArn"]
    folder = f"{target.get('Prefix', '').rstrip('/')}/{run_arn.rsplit(':', 1)[1]}".lstrip("/")
    children = [child for child in stepfunctions._executions.all_values() if child.get("mapRunArn") == run_arn]
    files: dict[str, list[dict]] = {"SUCCEEDED": [], "FAILED": [], "PENDING": []}
    for status in ("SUCCEEDED", "FAILED"):
        rows = [_result_row(child) for child in children if child["status"] == status]
        if rows:
            key, content = f"{folder}/{status}_0.json", json.dumps(rows).encode()
            s3._put_object(target["Bucket"], key, content, JSON)
            files[status].append({"Key": key, "Size": len(content)})
    manifest = {"DestinationBucket": target["Bucket"], "MapRunArn": run_arn, "ResultFiles": files}
    s3._put_object(target["Bucket"], f"{folder}/manifest.json", json.dumps(manifest).encode(), JSON)
    details = {"Bucket": target["Bucket"], "Key": f"{folder}/manifest.json"}
    return {"MapRunArn": run_arn, "ResultWriterDetails": details}


def _result_row(child: dict) -> dict:
    fields = {"ExecutionArn": "executionArn", "Input": "input", "Name": "name", "Status": "status"}
    fields |= {"StartDate": "startDate", "StopDate": "stopDate"}
    optional = {"Output": "output", "Error": "error", "Cause": "cause"}
    row = {name: child[source] for name, source in fields.items()}
    return row | {name: child[source] for name, source in optional.items() if child.get(source) is not None}
