"""Fixes of Lambda: error types, a clean import path, and code that is unpacked once."""

import hashlib
import os
import sys
import tempfile
import types
import zipfile
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

ERROR_MARK = "__handler_error__"


def install() -> None:
    _report_real_error_types()
    _isolate_the_interpreter()
    _unpack_each_archive_once()
    _stop_waiting_for_silent_functions()


def replace_once(source: str, old: str, new: str) -> str:
    """Replace text that must occur exactly once: a changed original is an error, never a fix silently not applied."""
    if source.count(old) != 1:
        raise RuntimeError(f"Expected once in ministack's source, found {source.count(old)} times: {old!r}")
    return source.replace(old, new)


def _report_real_error_types() -> None:
    """Answer a raised exception with its own class name, and keep the worker.

    Stock: every error is ``Runtime.HandlerError``, so ``Retry`` and ``Catch`` by name never match in a state machine,
    and the worker process is killed after it. AWS: ``errorType`` is the class name, with ``stackTrace``, and the
    execution environment lives on.
    """
    lambda_runtime._PYTHON_WORKER_SCRIPT = replace_once(
        lambda_runtime._PYTHON_WORKER_SCRIPT,
        '_real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")',
        "traceback.print_exc(); "
        f'_real_stdout.write(json.dumps({{"status": "ok", "result": {{"{ERROR_MARK}": {{'
        '"errorMessage": str(e), "errorType": type(e).__name__, "requestId": _ms_ctx.get("request_id", ""), '
        '"stackTrace": traceback.format_tb(e.__traceback__)}}}) + "\\n")',
    )
    stock = lambda_svc._execute_function_warm

    def execute(func: dict, event: Any, request_id: str) -> dict:
        result = stock(func, event, request_id)
        body = result.get("body")
        if isinstance(body, dict) and ERROR_MARK in body:
            log = result.get("log", "")
            return {"body": body[ERROR_MARK], "error": True, "log": log, "function_error": "Unhandled"}
        return result

    lambda_svc._execute_function_warm = execute


def _isolate_the_interpreter() -> None:
    """Run functions on the bare interpreter, with their own code before the layers.

    Stock: functions run inside the engine's virtual environment, whose packages hide a dependency that is missing from
    the layer; and layers precede the function's code on ``sys.path``. AWS: the function's code comes first, and beyond
    the layers there is only the runtime. (AWS's runtime also brings a boto3; Remit pins its own in the layer.)
    """
    stock = lambda_runtime._detect_runtime_binary

    def detect(runtime: str) -> tuple[str, str]:
        binary, script = stock(runtime)
        return (sys._base_executable, script) if runtime.startswith("python") else (binary, script)

    lambda_runtime._detect_runtime_binary = detect
    marker = "    # After sys.path is complete (so a function"
    lambda_runtime._PYTHON_WORKER_SCRIPT = replace_once(
        lambda_runtime._PYTHON_WORKER_SCRIPT,
        marker,
        "    sys.path.remove(code_dir); sys.path.insert(0, code_dir)\n" + marker,
    )


def _unpack_each_archive_once() -> None:
    """Unpack a code or layer archive once, by content, and link workers to it.

    Stock: each worker unpacks the function and every layer anew, about a second and tens of megabytes each time. AWS
    mounts them read-only.
    """
    cache = Path(tempfile.gettempdir()) / "function-code"

    class CachedArchive(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            with open(self.filename, "rb") as archive:
                unpacked = cache / hashlib.file_digest(archive, "sha256").hexdigest()[:24]
            if not unpacked.is_dir():
                cache.mkdir(parents=True, exist_ok=True)
                partial = tempfile.mkdtemp(prefix="partial-", dir=cache)
                super().extractall(partial, members, pwd)
                try:
                    os.rename(partial, unpacked)
                except OSError:
                    if not unpacked.is_dir():  # otherwise another worker was faster, with the same content
                        raise
            os.rmdir(path)
            os.symlink(unpacked, path)

    lambda_runtime.zipfile = types.SimpleNamespace(**{**vars(zipfile), "ZipFile": CachedArchive})


def _stop_waiting_for_silent_functions() -> None:
    """Wait 4 ms instead of 50 ms for the log lines of an invocation that has already answered.

    Stock adds the longer wait to the latency of every invocation that logs nothing. AWS collects logs after the answer.
    """
    first_line_wait, idle_confirm, hard_cap = 0.004, 0.002, 0.250  # seconds; the parameters' names there
    lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (first_line_wait, idle_confirm, hard_cap)
