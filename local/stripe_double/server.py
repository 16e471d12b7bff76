"""The double as an HTTP server: the API, the customer's pages and the control calls on one port."""

from __future__ import annotations

import json
import logging
import secrets
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.stripe_double import control_routes
from local.stripe_double.api import Api, Request, encode
from local.stripe_double.clock import Clock, LocalClock
from local.stripe_double.controls import Controls
from local.stripe_double.courier import Endpoint, RetryPolicy
from local.stripe_double.engine import Engine
from local.stripe_double.errors import ApiError
from local.stripe_double.faults import ConnectionResetOnDemandError
from local.stripe_double.pages import Pages

logger = logging.getLogger(__name__)

BODY_LENGTH_MAX = 1_000_000
IDLE_SECONDS_MAX = 120
# Closing with this linger sends RST instead of FIN: the caller sees the connection reset.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.resetting: set[Any] = set()
        self.api: Api
        self.pages: Pages
        self.controls: Controls

    def shutdown_request(self, request: Any) -> None:
        if request in self.resetting:
            self.resetting.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "stripe-double"
    sys_version = ""
    timeout = IDLE_SECONDS_MAX
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return
        target = urlsplit(self.path)
        try:
            if target.path.startswith("/_control"):
                status, answer = control_routes.serve(self.server.controls, self.command, target.path, body)
                self._send(status, json.dumps(answer).encode(), "application/json", {})
            elif target.path.startswith("/v1/"):
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, target.path, target.query, body, headers)
                reply = self.server.api.serve(request)
                self._send(reply.status, encode(reply.body), "application/json", reply.headers)
            else:
                page = self.server.pages.serve(self.command, target.path, body)
                self._send(page.status, page.html.encode(), "text/html; charset=utf-8", page.headers)
        except ConnectionResetOnDemandError:
            self._reset()
        except BrokenPipeError:
            self.close_connection = True  # the caller hung up, e.g. on its own time-out
        except Exception:
            # A bug of the double: say so, as Stripe would, instead of hanging up.
            logger.exception("%s %s failed", self.command, target.path)
            error = ApiError(500, "api_error", "The Stripe double failed; see its log.")
            self._send(500, encode(error.body("")), "application/json", {})

    def _body(self) -> str | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > BODY_LENGTH_MAX:
            self.close_connection = True
            error = ApiError(413, "invalid_request_error", "The request body is too large.")
            self._send(413, encode(error.body("")), "application/json", {})
            return None
        return self.rfile.read(int(length)).decode("utf-8", "replace")

    def _send(self, status: int, body: bytes, content_type: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.server.resetting.add(self.request)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug("%s %s", self.address_string(), format % args)


@dataclass(frozen=True, slots=True)
class Double:
    """A running double."""

    url: str
    webhook_secret: str
    control: Controls


@contextmanager
def running_double(
    *,
    webhook_url: str | None = None,
    webhook_secret: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    public_url: str | None = None,
    state: Path | None = None,
    clock: Clock | None = None,
    business_name: str = "Sample firm",
    retry: RetryPolicy | None = None,
    delivery_workers: int = 1,
) -> Iterator[Double]:
    """Run a double while the context lasts; port 0 takes a free one.

    ``public_url`` is the address that session links carry, when callers reach the double by another one.
    """
    server = _Server((host, port))
    url = f"http://{host}:{server.server_address[1]}"
    secret = webhook_secret or f"whsec_{secrets.token_hex(16)}"
    try:
        engine = Engine(
            clock or LocalClock(),
            Endpoint(webhook_url, (secret,)),
            base_url=(public_url or url).rstrip("/"),
            business_name=business_name,
            state_path=state,
            policy=retry,
            delivery_workers=delivery_workers,
        )
        server.api, server.pages, server.controls = Api(engine), Pages(engine), Controls(engine)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="stripe-double")
        engine.start()
        thread.start()
        try:
            yield Double(url, secret, server.controls)
        finally:
            server.shutdown()
            thread.join()
            engine.stop()
    finally:
        server.server_close()
