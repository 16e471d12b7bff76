"""A customer pays in a real browser: from the e-mail that the stack has sent to the page that says paid.

Needs Chromium and its driver (`apt install chromium chromium-driver`); without them these tests are skipped.
"""

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.e2e.test_payment_page import CHROMIUM, DRIVER, WCAG, axe, browser, console, show
from tests.scenarios.world import Customer, Invoice, World

__all__ = ["axe", "browser"]  # fixtures

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Chromium and chromedriver are not installed")
PATIENCE_S = 30


@pytest.fixture
def invoice(world: World) -> Invoice:
    """An invoice whose customer has got its e-mail."""
    world.firm.switches_on("send_invoices", "send_receipts")
    customer: Customer = world.a_customer()
    invoice = customer.is_invoiced()
    world.mailbox.awaits(customer, "invoice_issued")
    return invoice


@pytest.fixture
def link(world: World, invoice: Invoice) -> str:
    (mail,) = world.mailbox.of(invoice.customer)
    world.told.add(mail.pay_link.rpartition("/")[2])
    return mail.pay_link


def says(browser: webdriver.Chrome, text: str) -> bool:
    return text.lower() in browser.find_element(By.TAG_NAME, "main").text.lower()


def is_accessible(browser: webdriver.Chrome, axe: str) -> None:
    """WCAG 2.2 A and AA by axe-core."""
    browser.execute_script(axe)
    found = browser.execute_async_script("axe.run(document, {runOnly: arguments[0]}).then(arguments[arguments.length - 1])", WCAG)
    assert [(violation["id"], [node["html"] for node in violation["nodes"]]) for violation in found["violations"]] == []


def pay_with(browser: webdriver.Chrome, card: str) -> None:
    Select(browser.find_element(By.ID, "card")).select_by_value(card)
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()


def comes_to(browser: webdriver.Chrome, address: str) -> None:
    WebDriverWait(browser, PATIENCE_S).until(lambda _: browser.current_url.startswith(address), f"coming to {address}")


def comes_back_to(browser: webdriver.Chrome, link: str) -> None:
    """The gateway sends the customer back to the same invoice, by a link of its own expiry."""
    comes_to(browser, ".".join(link.split(".")[:-2]))


def check_again_until_paid(browser: webdriver.Chrome) -> None:
    """What the page tells people to do while the gateway's message is on its way."""

    def paid(_: webdriver.Chrome) -> bool:
        if links := browser.find_elements(By.LINK_TEXT, "Check again"):
            assert says(browser, "being confirmed")
            links[0].click()
            return False
        return True

    WebDriverWait(browser, PATIENCE_S, poll_frequency=0.5).until(paid)
    assert says(browser, "paid")


def test_from_the_e_mail_to_paid(browser: webdriver.Chrome, axe: str, world: World, invoice: Invoice, link: str) -> None:
    """V2, P3, G5: a card is declined, another one pays, and the customer sees that it is paid."""
    show(browser, link, width=390)
    assert invoice.number in browser.page_source
    is_accessible(browser, axe)
    browser.find_element(By.XPATH, "//button[text()='Pay EUR 121.00 by card']").click()
    comes_to(browser, f"{world.gateway_url}/c/pay/")
    assert not [message for message in console(browser) if "Content Security Policy" in message]

    pay_with(browser, "chargeDeclined")
    WebDriverWait(browser, PATIENCE_S).until(lambda _: says(browser, "declined"), "the gateway saying so")
    comes_to(browser, f"{world.gateway_url}/c/pay/")
    pay_with(browser, "visa")

    comes_back_to(browser, link)
    is_accessible(browser, axe)
    check_again_until_paid(browser)
    is_accessible(browser, axe)
    assert not browser.find_elements(By.TAG_NAME, "button"), "there is nothing left to pay"
    assert invoice.status == "paid"
    assert world.mailbox.awaits(invoice.customer, "payment_received")
    invoice.customer.proves()


def test_going_back_without_paying_leaves_the_invoice_to_be_paid(
    browser: webdriver.Chrome, world: World, invoice: Invoice, link: str
) -> None:
    """P4: leaving the gateway's page costs nothing, and coming back leads to the same one."""
    show(browser, link)
    browser.find_element(By.TAG_NAME, "button").click()
    comes_to(browser, f"{world.gateway_url}/c/pay/")
    checkout = browser.current_url
    browser.back()
    comes_to(browser, link)
    assert invoice.number in browser.page_source
    browser.find_element(By.TAG_NAME, "button").click()
    comes_to(browser, checkout)
    assert invoice.status == "issued"
    assert len(invoice.customer.payments) == 1


def test_the_gateway_asks_the_bank_first(browser: webdriver.Chrome, world: World, invoice: Invoice, link: str) -> None:
    """P3: 3-D Secure in the browser."""
    show(browser, link)
    browser.find_element(By.TAG_NAME, "button").click()
    comes_to(browser, f"{world.gateway_url}/c/pay/")
    pay_with(browser, "authenticationRequired")
    WebDriverWait(browser, PATIENCE_S).until(lambda _: browser.find_elements(By.CSS_SELECTOR, "button[value=succeed]"))
    browser.find_element(By.CSS_SELECTOR, "button[value=succeed]").click()
    comes_back_to(browser, link)
    check_again_until_paid(browser)
    invoice.becomes_paid()
