"""What the console says of the license, on every screen, in a real browser at a real daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.browser.chromium import Browser, Page
from support.daemons.daemon import Daemon, running
from support.daemons.remote import EVERYWHERE, Remote, needs_network
from support.licenses.licenses import LICENSE_KEY, TEST_VENDOR, keyring_json, license_document

pytestmark = pytest.mark.system

BANNER = ".banner"
FULL = license_document(dataplanes=20, expires="2040-01-01")


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days + 1)).date().isoformat()


@contextmanager
def licensed(
    directory: Path, document: bytes = FULL, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Daemon, Path]]:
    """A daemon whose license is a file, and the file."""
    keyring, path = directory / "keyring.json", directory / "license.json"
    keyring.write_bytes(keyring_json())
    path.write_bytes(document)
    settings = {"KMESH_LICENSE_PATH": str(path), **(environment or {})}
    flags = ("--license-keyring", str(keyring))
    with running(directory / "d", *flags, environment=settings) as daemon:
        yield daemon, path


def opened(browser: Browser, daemon: Daemon, fragment: str = "") -> Page:
    address = daemon.addresses["api"].split()[0].replace("127.0.0.1", "localhost")
    return browser.page(f"{address}/gui{fragment}")


def codes(page: Page) -> list[str]:
    found = page.value("[...document.querySelectorAll('.banner .line')].map(e => e.dataset.code)")
    assert isinstance(found, list)
    return found


def test_a_license_that_ends_soon_is_told_with_days_and_remedy(
    browser: Browser, tmp_path: Path
) -> None:
    with licensed(tmp_path, license_document(dataplanes=20, expires=in_days(12))) as (daemon, _):
        page = opened(browser, daemon)
        page.wait_for_text("12 days left", BANNER)
        assert "systemctl reload kong-mesh-cp" in page.text(BANNER)
        assert codes(page) == ["expires-soon", "keyring-override"]
        for screen in ("/meshes", "/proxies", "/license", "/no-such-screen"):
            page.go(screen)
            page.wait_for_text("12 days left", BANNER)
        assert page.complaints() == []


def test_a_broken_file_is_told_as_it_breaks_and_no_more_once_it_is_mended(
    browser: Browser, tmp_path: Path
) -> None:
    with licensed(tmp_path) as (daemon, path):
        page = opened(browser, daemon)
        page.wait_for_text("keyring-override", BANNER)
        assert "not safe" not in page.text(BANNER).lower()
        path.write_bytes(b"license: 20")
        page.wait_for_text("license-not-json", BANNER)
        assert codes(page)[0] == "restart-not-safe"
        path.write_bytes(FULL)
        page.wait_without_text("license-not-json", BANNER)
        assert page.complaints() == []


def test_more_seats_than_allowed_are_told_while_they_are_held(
    browser: Browser, tmp_path: Path
) -> None:
    document = license_document(dataplanes=1, expires="2040-01-01")
    with licensed(tmp_path, document) as (daemon, _):
        page = opened(browser, daemon)
        page.wait_for_text("0 of 1")
        with daemon.seat("a"), daemon.seat("b"):
            page.wait_for_text("over-limit", BANNER)
            page.wait_for_text("2 of 1")
        page.wait_without_text("over-limit", BANNER)


def test_a_license_for_tests_says_so_and_sources_that_differ_are_named(
    browser: Browser, tmp_path: Path
) -> None:
    inline = license_document(TEST_VENDOR, dataplanes=20, expires="2040-01-01").decode()
    with licensed(tmp_path, environment={"KMESH_LICENSE_INLINE": inline}) as (daemon, _):
        page = opened(browser, daemon)
        page.wait_for_text("test-key", BANNER)
        assert codes(page) == ["test-key", "sources-conflict"]
        assert page.text(".banner .more") == "1 more"
        page.click(".banner .more")
        page.wait_for_text("keyring-override", BANNER)


def test_a_hidden_warning_stays_hidden_until_the_license_says_something_new(
    browser: Browser, tmp_path: Path
) -> None:
    with licensed(tmp_path, license_document(dataplanes=20, expires=in_days(12))) as (daemon, path):
        page = opened(browser, daemon)
        page.click("[data-code='expires-soon'] button[aria-label='Hide expires-soon']")
        page.wait_without_text("12 days left", BANNER)
        page.call("Page.reload")
        page.wait_for_text("keyring-override", BANNER)
        assert codes(page) == ["keyring-override"]
        path.write_bytes(license_document(dataplanes=20, expires=in_days(5)))
        page.wait_for_text("5 days left", BANNER)


def test_what_is_not_safe_cannot_be_hidden(browser: Browser, tmp_path: Path) -> None:
    with licensed(tmp_path) as (daemon, path):
        path.write_bytes(b"{}")
        page = opened(browser, daemon)
        page.wait_for("document.querySelector('[data-code=restart-not-safe]') !== null")
        labels = page.value(
            "[...document.querySelectorAll('[data-code=restart-not-safe] button')]"
            ".map(e => e.getAttribute('aria-label'))"
        )
        assert not [label for label in labels if label.startswith("Hide")]


def test_the_license_screen_has_limit_use_term_source_and_verdict(
    browser: Browser, tmp_path: Path
) -> None:
    with licensed(tmp_path) as (daemon, path):
        page = opened(browser, daemon, "#/license")
        with daemon.seat("a", "default"), daemon.seat("b", "default"):
            page.wait_for_text("2 of 20")
            for told in (
                *("company_inc", "2040-01-01", str(path), "Would a restart succeed?", "✔ Yes."),
                *("At most 2 on", "should allow 3 or more", "KMESH_LICENSE_PATH", "2021-08-04"),
            ):
                page.wait_for_text(told, "main")
            page.wait_for("document.querySelector('main table a')?.innerText === 'default'")
            rows = page.value("document.querySelectorAll('details tbody tr').length")
            assert rows == 30
            page.click("main .tools button:nth-of-type(2)")
            page.wait_for("document.querySelectorAll('details tbody tr').length === 90")
            assert LICENSE_KEY not in page.value("document.documentElement.outerHTML")
        path.write_bytes(license_document(dataplanes=30, expires="2040-01-01"))
        page.wait_for_text("applied", "main")
        page.wait_for_text("of 30", "main")
        assert page.complaints() == []


def test_use_by_day_can_be_taken_as_csv_and_json(browser: Browser, tmp_path: Path) -> None:
    with licensed(tmp_path) as (daemon, _):
        page = opened(browser, daemon, "#/license")
        page.wait_for_text("Most seats held at once")
        page.value(
            "window.saved = []; URL.createObjectURL = (blob) => { saved.push(blob); return '#'; };"
            "URL.revokeObjectURL = () => {}; HTMLAnchorElement.prototype.click = () => {}; 0"
        )
        for name in ("CSV", "JSON"):
            page.value(
                "[...document.querySelectorAll('main button')]"
                f".find(e => e.innerText === '{name}').dispatchEvent(new MouseEvent('click', {{bubbles: true}}))"
            )
        lines = page.value("saved[0].text()").split("\r\n")
        document = json.loads(page.value("saved[1].text()"))
        assert lines[0] == "day,seats,allowed"
        assert len(lines) == 30 + 2
        assert document["allowed"] == 20
        assert [f"{each['day']},{each['seats']},20" for each in document["days"]] == lines[1:-1]


def test_a_customer_called_like_a_script_is_text(browser: Browser, tmp_path: Path) -> None:
    name = '<img src=x onerror="document.title=1">"&\'{{'
    document = license_document(customer=name, expires="2040-01-01")
    with licensed(tmp_path, document) as (daemon, _):
        page = opened(browser, daemon, "#/license")
        page.wait_for_text(name, "main h2")
        assert page.value("document.images.length") == 0
        assert page.complaints() == []


@needs_network
def test_who_is_not_signed_in_hears_what_everybody_may_know(
    browser: Browser, tmp_path: Path
) -> None:
    document = license_document(dataplanes=1, expires=in_days(12))
    with licensed(tmp_path, document, EVERYWHERE) as (daemon, path):
        page = browser.page(f"{Remote(daemon).url()}/gui#/license")
        page.wait_for_text("12 days left", BANNER)
        page.wait_for_text("anonymous · sign in", "header")
        with daemon.seat("a"), daemon.seat("b"):
            page.wait_for_text("over-limit", BANNER)
        page.wait_without_text("over-limit", BANNER)
        for hidden in ("company_inc", str(path), "Would a restart"):
            assert hidden not in page.text(), hidden
        page.wait_for_text("for administrators", "main")
        assert page.complaints(network=False) == []


@needs_network
def test_a_token_signs_in_and_out_and_what_is_none_is_told(
    browser: Browser, tmp_path: Path
) -> None:
    with licensed(tmp_path, environment=EVERYWHERE) as (daemon, _):
        asked = {"name": "ann", "groups": ["mesh-system:admin"], "validFor": "8h"}
        headers = {"Content-Type": "application/json"}
        token = daemon.api(
            "POST", "/tokens/user", headers, json.dumps(asked).encode()
        ).body.decode()
        page = browser.page(f"{Remote(daemon).url()}/gui")
        page.wait_for_text("anonymous", "header")
        page.click(".who")
        page.wait_for("document.querySelector('#sign-in').open")
        assert "without TLS" in page.text("#sign-in")
        for wrong, told in (("no token", "This is no token"), ("a.b.c", "does not believe it")):
            _sign_in(page, wrong)
            page.wait_for_text(told, "#sign-in-reason")
        _sign_in(page, token)
        page.wait_for_text("ann · sign out", "header")
        page.wait_for_text("keyring-override", BANNER)
        assert token not in page.value(
            "JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])"
        )
        page.click(".who")
        page.wait_for_text("anonymous · sign in", "header")


@needs_network
def test_who_may_not_see_all_of_the_license_is_refused_once(
    browser: Browser, tmp_path: Path
) -> None:
    with licensed(tmp_path, environment=EVERYWHERE) as (daemon, _):
        asked = {"name": "bob", "groups": ["team-a"], "validFor": "8h"}
        headers = {"Content-Type": "application/json"}
        token = daemon.api("POST", "/tokens/user", headers, json.dumps(asked).encode())
        page = browser.page(f"{Remote(daemon).url()}/gui")
        page.wait_for_text("anonymous", "header")
        page.click(".who")
        _sign_in(page, token.body.decode())
        page.wait_for_text("bob · sign out", "header")
        page.wait_for_text("0 of 20", "main")
        count = "performance.getEntriesByType('resource').filter(e => e.name.endsWith('%s')).length"
        begun = page.value(count % "/who-am-i")
        page.wait_for(f"{count % '/who-am-i'} >= {begun + 3}")
        assert page.value(count % "view=full") == 1


def _sign_in(page: Page, token: str) -> None:
    page.value(f"document.querySelector('#sign-in-token').value = {json.dumps(token)}; 0")
    page.click("#sign-in button[type=submit]")
