"""The payment page in a real browser: accessible, readable on a phone, and working without JavaScript.

Needs Chromium and its driver (`apt install chromium chromium-driver`); without them these tests are skipped.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import files
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from functions.payment_page import pages
from local.email_templates import samples
from remit.domain.orders import LineRequest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Chromium and chromedriver are not installed")

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ISSUED, ITEM = samples.invoice()
LONG_WORDS, LONG_ITEM = samples.invoice(
    [LineRequest("Donaudampfschifffahrtselektrizitätenhauptbetriebswerk" * 3, Decimal("1234.5"), 123_456_789, "RC")],
    "KWD",
    seller=samples.firm(name="W" * 80),
    buyer=samples.account(name="<b>שלום</b> " + "m" * 90),
    reference="r" * 120,
)


def view_on(today: date) -> pages.View:
    return pages.invoice_view(samples.firm(), ISSUED, ITEM.settle(20_000, "pay_1"), today)


NAMES = ("invoice", "overdue", "long", "paid", "processing", "expired", "invalid", "unavailable")


def page_named(name: str, checkout_origin: str) -> pages.Page:
    """The page that the test server answers with under `/pay/<name>`."""
    answers: dict[str, Callable[[], pages.Page]] = {
        "invoice": lambda: pages.invoice_page(view_on(date(2026, 2, 1)), checkout_origin),
        "overdue": lambda: pages.invoice_page(view_on(date(2026, 3, 19)), checkout_origin),
        "long": lambda: pages.invoice_page(pages.invoice_view(samples.firm(), LONG_WORDS, LONG_ITEM, date(2026, 2, 1))),
        "elsewhere": lambda: pages.invoice_page(view_on(date(2026, 2, 1)), "https://checkout.example.test"),
        "paid": lambda: pages.paid_page(view_on(date(2026, 2, 1))),
        "processing": lambda: pages.processing_page(view_on(date(2026, 2, 1))),
        "expired": lambda: pages.link_expired_page(samples.firm()),
        "invalid": pages.link_invalid_page,
        "unavailable": lambda: pages.unavailable_page(samples.firm()),
    }
    return answers[name]()


class Site(ThreadingHTTPServer):
    """Serves the pages; a POST redirects to `checkout`, as the function does. Keeps what it was asked."""

    daemon_threads = True

    def __init__(self, checkout: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.origin = f"http://127.0.0.1:{self.server_port}"
        self.checkout = checkout
        self.requests: list[tuple[str, str, str | None]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self._note()
        if self.path == "/checkout":
            return self._answer(200, {"Content-Type": "text/html"}, "<title>Checkout</title>")
        name = self.path.removeprefix("/pay/").partition("?")[0]
        return self._answer(*page_named(name, self.server.checkout.rpartition("/")[0]))

    def do_POST(self) -> None:
        self._note()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(303, {"Location": self.server.checkout}, "")

    def _note(self) -> None:
        self.server.requests.append((self.command, self.path, self.headers.get("Referer")))

    def _answer(self, status: int, headers: dict[str, str], html: str) -> None:
        content = html.encode()
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def serve(site: Site) -> Iterator[Site]:
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield site
    site.shutdown()
    site.server_close()


@pytest.fixture(scope="module")
def checkout() -> Iterator[Site]:
    yield from serve(Site())


@pytest.fixture(scope="module")
def site(checkout: Site) -> Iterator[Site]:
    yield from serve(Site(f"{checkout.origin}/checkout"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for switch in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, out of the package that carries it."""
    found = next(file for file in files("axe-selenium-python") or [] if file.name == "axe.min.js")
    return Path(str(found.locate())).read_text(encoding="utf-8")


def console(browser: webdriver.Chrome) -> list[str]:
    """What the browser complained about since the last call."""
    return [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


def show(browser: webdriver.Chrome, url: str, width: int = 320, scheme: str = "light") -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    console(browser)  # reading empties it
    browser.get(url)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("name", NAMES)
def test_pages_have_no_accessibility_violation_and_fit(
    browser: webdriver.Chrome, site: Site, axe: str, name: str, width: int, scheme: str
) -> None:
    """WCAG 2.2 A and AA by axe-core; reflow at 320 CSS pixels (1.4.10)."""
    show(browser, f"{site.origin}/pay/{name}", width, scheme)
    browser.execute_script(axe)
    result = browser.execute_async_script(
        "axe.run(document, {runOnly: arguments[0]}).then(arguments[arguments.length - 1])", WCAG
    )
    assert [(found["id"], [node["html"] for node in found["nodes"]]) for found in result["violations"]] == []
    assert {"color-contrast", "document-title", "html-has-lang"} <= {rule["id"] for rule in result["passes"]}, "axe looked"
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    background = browser.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light"), "the styles apply"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_one_request_and_breaks_no_policy_of_its_own(browser: webdriver.Chrome, site: Site, name: str) -> None:
    site.requests.clear()
    show(browser, f"{site.origin}/pay/{name}")
    assert [path for _, path, _ in site.requests] == [f"/pay/{name}"]
    assert [message for message in console(browser) if "Content Security Policy" in message] == []


def test_paying_works_without_javascript_and_tells_the_checkout_nothing(
    browser: webdriver.Chrome, site: Site, checkout: Site
) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, f"{site.origin}/pay/invoice")
        site.requests.clear()
        checkout.requests.clear()
        browser.find_element(By.XPATH, "//button[text()='Pay EUR 1,073.79 by card']").click()
        assert browser.current_url == site.checkout
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert [(method, path) for method, path, _ in site.requests] == [("POST", "/pay/invoice")]
    assert ("GET", "/checkout", None) in checkout.requests, "the token in the URL is in no referrer"


def test_the_form_leads_to_the_named_checkout_only(browser: webdriver.Chrome, site: Site, checkout: Site) -> None:
    show(browser, f"{site.origin}/pay/elsewhere")
    checkout.requests.clear()
    browser.find_element(By.TAG_NAME, "button").click()
    WebDriverWait(browser, 5).until(lambda _: any("form-action" in message for message in console(browser)))
    assert checkout.requests == []


@pytest.mark.parametrize(("name", "link"), [("processing", "Check again"), ("unavailable", "Back to the invoice")])
def test_going_on_is_a_plain_get_of_the_same_page(browser: webdriver.Chrome, site: Site, name: str, link: str) -> None:
    show(browser, f"{site.origin}/pay/{name}?returned=1")
    site.requests.clear()
    browser.find_element(By.LINK_TEXT, link).click()
    assert [(method, path) for method, path, _ in site.requests] == [("GET", f"/pay/{name}?returned=1")]


def test_every_control_is_reached_and_seen_with_the_keyboard(browser: webdriver.Chrome, site: Site) -> None:
    show(browser, f"{site.origin}/pay/invoice")
    reached = []
    for _ in range(2):
        browser.switch_to.active_element.send_keys("\ue004")
        active = browser.switch_to.active_element
        reached.append(active.tag_name)
        style = browser.execute_script("const s = getComputedStyle(arguments[0]); return [s.boxShadow, s.outlineStyle]", active)
        assert style != ["none", "none"], "focus is visible"
    assert reached == ["button", "a"]
