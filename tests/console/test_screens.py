"""The console's screens in a real browser at a real daemon: empty, full, refused, left alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.browser.accessibility import findings
from support.browser.chromium import Browser, Page
from support.daemons.daemon import Daemon, eventually, free_port, running
from support.daemons.remote import EVERYWHERE, Remote, needs_network

pytestmark = pytest.mark.system

JSON = {"Content-Type": "application/json"}
MANY = 230  # proxies: three pages of a list
PICTURES = os.environ.get("KMESH_TEST_PICTURES")  # a folder, for people who want to look


def put(daemon: Daemon, path: str, document: Mapping[str, object]) -> None:
    answer = daemon.api("PUT", path, JSON, json.dumps(document).encode())
    assert answer.status == 201, answer.body


def proxy(daemon: Daemon, name: str, mesh: str = "default", service: str = "backend") -> None:
    """A Dataplane that an operator has written: it stays when its process ends."""
    inbound = {"port": 8080, "tags": {"kuma.io/service": service}}
    networking = {"address": "127.0.0.1", "inbound": [inbound]}
    document = {"type": "Dataplane", "mesh": mesh, "name": name, "networking": networking}
    put(daemon, f"/meshes/{mesh}/dataplanes/{name}", document)


def opened(browser: Browser, daemon: Daemon, fragment: str = "") -> Page:
    address = daemon.addresses["api"].split()[0].replace("127.0.0.1", "localhost")
    return browser.page(f"{address}/gui{fragment}")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """With a mesh beside the default one, a proxy that is there and one that has gone."""
    only_admins = {"KUMA_ACCESS_STATIC_GET_CONFIG_DUMP_GROUPS": "mesh-system:admin"}
    environment = {**EVERYWHERE, **only_admins}
    with running(tmp_path_factory.mktemp("full"), environment=environment) as started:
        put(started, "/meshes/payments", {"type": "Mesh", "name": "payments"})
        for name in ("backend-1", "backend-2"):
            proxy(started, name)
        with started.seat("backend-1"):
            with started.seat("backend-2"):
                path = "/meshes/default/dataplanes/backend-2/_overview"
                eventually("it is shown", lambda: b"connectTime" in started.api("GET", path).body)
            yield started


def test_an_empty_control_plane_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        page = opened(browser, daemon)
        page.wait_for_text("There is no data plane proxy yet", "main")
        page.go("/proxies")
        page.wait_for_text("One joins with kuma-dp run", "main")
        page.go("/meshes")
        page.wait_for_text("default", "main tbody")
        page.go("/no-such-screen")
        page.wait_for_text("There is no such screen", "main")
        assert page.complaints() == []


def test_the_overview_tells_who_is_not_there_and_why(browser: Browser, daemon: Daemon) -> None:
    page = opened(browser, daemon)
    page.wait_for_text("Needs attention", "main")
    page.wait_for_text("its connection has ended", "main")
    rows = page.value("[...document.querySelectorAll('main tbody th')].map(e => e.innerText)")
    assert rows == ["backend-2"]
    page.wait_for_text("1 of 2", ".card[href='#/proxies']")
    page.click("main tbody th a")
    page.wait_for_text("default / backend-2", "main h2")
    assert page.complaints() == []


def test_a_proxy_has_its_presence_inbounds_rules_and_both_forms(
    browser: Browser, daemon: Daemon
) -> None:
    page = opened(browser, daemon, "#/proxies/default/backend-1")
    page.wait_for_text("● online", "main h2")
    page.wait_for_text("8080", "main")
    page.wait_for_text("still there", "main")
    page.go("/proxies/default/backend-1?tab=rules")
    page.wait_for_text("MeshRetry", "main")
    page.wait_for_text("mesh-retry-all-default", "main")
    page.go("/proxies/default/backend-1?tab=config")
    page.wait_for_text('"type": "Dataplane"', "main pre")
    page.go("/proxies/default/backend-1?tab=config&format=k8s")
    page.wait_for_text('"kind": "Dataplane"', "main pre")
    assert page.complaints() == []
    page.go("/proxies/default/backend-1?tab=envoy")
    page.wait_for("document.querySelector('main .refusal') !== null")
    page.go("/proxies/default/no-such-proxy")
    page.wait_for_text("Not found", "main .refusal")
    assert page.complaints(network=False) == []


def test_the_list_of_proxies_is_filtered_as_one_types(browser: Browser, daemon: Daemon) -> None:
    page = opened(browser, daemon, "#/proxies")
    page.wait_for("document.querySelectorAll('main tbody tr').length === 2")
    page.press("/")
    page.wait_for("document.activeElement.id === 'filter'")
    for key in "d-2":
        page.press(key)
    page.wait_for("document.querySelectorAll('main tbody tr').length === 1")
    page.wait_for("location.hash === '#/proxies?name=d-2'")
    assert page.value("document.activeElement.id") == "filter"
    page.go("/proxies?mesh=payments")
    page.wait_for_text("No data plane proxy is like that", "main")
    page.go("/proxies?service=backend")
    page.wait_for("document.querySelectorAll('main tbody tr').length === 2")
    assert page.complaints() == []


def test_many_proxies_come_a_page_at_a_time(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        for number in range(MANY):
            proxy(daemon, f"backend-{number:03}")
        page = opened(browser, daemon, "#/proxies")
        page.wait_for_text(f"1 to 100 of {MANY}", "main")
        page.click("main .tools button:last-child")
        page.wait_for_text(f"101 to 200 of {MANY}", "main")
        page.click("main .tools button:last-child")
        page.wait_for_text(f"201 to {MANY} of {MANY}", "main")
        assert page.value("document.querySelector('main .tools button:last-child').disabled")
        page.go("/")
        page.wait_for_text(f"The first 50 of {MANY}", "main")
        assert page.complaints() == []


def answering(page: Page, path: str, document: object) -> None:
    """The page gets `document` for what it asks at `path`; None: what there is."""
    answer = f"Promise.resolve(new Response({json.dumps(json.dumps(document))}))"
    told = f"at.includes({json.dumps(path)}) ? {answer} : asked(at, ...rest)"
    page.value("window.asked ??= window.fetch; 0")
    page.value(f"window.fetch = {'asked' if document is None else f'(at, ...rest) => {told}'}; 0")


def test_a_document_that_looks_like_an_element_is_text(browser: Browser, daemon: Daemon) -> None:
    page = opened(browser, daemon)
    element = {"tag": "b", "props": None, "children": ["made of a document"]}
    overview = {"name": element, "mesh": "default", "dataplane": {}}
    answering(page, "/_overview", {"items": [overview], "total": 1, "next": None})

    page.go("/proxies")
    page.wait_for_text("[object Object]", "main")
    assert page.value("document.querySelector('main b')") is None


def test_a_defect_of_the_console_is_shown_and_it_goes_on(browser: Browser, daemon: Daemon) -> None:
    page = opened(browser, daemon)
    answering(page, "/_overview", {"items": "none"})
    page.go("/proxies")
    page.wait_for_text("The console has a defect", "main")

    answering(page, "/_overview", None)
    page.wait_for_text("1 to 2 of 2", "main")


def test_a_row_stays_the_same_element_when_others_come(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        proxy(daemon, "b-1")
        page = opened(browser, daemon, "#/proxies")
        page.wait_for("document.querySelectorAll('main tbody tr').length === 1")
        page.value("window.before = document.querySelector('main tbody a'); before.focus(); 0")
        proxy(daemon, "a-1")
        page.wait_for("document.querySelectorAll('main tbody tr').length === 2")
        assert page.value("document.querySelectorAll('main tbody a')[1] === before")
        assert page.value("document.activeElement === before")


def test_a_control_plane_that_goes_and_comes_back_needs_no_reload(
    browser: Browser, tmp_path: Path
) -> None:
    environment = {"KUMA_API_SERVER_HTTP_PORT": str(free_port())}
    with Daemon(tmp_path, environment=environment) as daemon:
        page = opened(browser, daemon.start(), "#/meshes")
        page.wait_for_text("default", "main tbody")
        page.value("window.unloaded = false; 0")
        daemon.stop()
        page.wait_for_text("has not answered for")
        assert "default" in page.text("main tbody"), "what was known is still shown"
        daemon.start()
        page.wait_without_text("has not answered for")
        assert page.value("window.unloaded") is False
        assert page.complaints(network=False) == []


@needs_network
def test_what_one_may_not_see_is_refused_and_not_empty(browser: Browser, daemon: Daemon) -> None:
    page = browser.page(f"{Remote(daemon).url()}/gui#/proxies/default/backend-1?tab=envoy")
    page.wait_for_text("You may not see this", "main .refusal")
    assert page.complaints(network=False) == []


SCREENS = (
    *("/", "/meshes", "/meshes/default", "/proxies", "/license", "/no-such-screen"),
    *(f"/proxies/default/backend-1{tab}" for tab in ("", "?tab=rules", "?tab=config")),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_every_screen(browser: Browser, daemon: Daemon, scheme: str) -> None:
    page = opened(browser, daemon)
    wanted = {"name": "prefers-color-scheme", "value": scheme}
    page.call("Emulation.setEmulatedMedia", features=[wanted])
    for screen in SCREENS:
        page.go(screen)
        page.wait_for(
            "document.querySelector('main h1') && !document.querySelector('main').innerText.includes('Asking')"
        )
        if PICTURES:
            page.picture(
                Path(PICTURES, f"{scheme}{screen.replace('/', '-').replace('?', '-')}.png")
            )
        assert findings(page) == [], screen
    page.click(".who")
    page.wait_for("document.querySelector('#sign-in').open")
    assert findings(page) == []


def test_every_screen_is_reached_by_keys_alone(browser: Browser, daemon: Daemon) -> None:
    page = opened(browser, daemon)
    page.wait_for_text("Needs attention", "main")
    for key, title in (("m", "Meshes"), ("p", "Proxies"), ("l", "License"), ("o", "Overview")):
        page.press("g")
        page.press(key)
        page.wait_for(f"document.querySelector('main h1')?.innerText === {title!r}")
    page.wait_for_text("Needs attention", "main")
    page.press("j")
    page.wait_for("document.activeElement.innerText === 'backend-2'")
    page.press("Enter", "Enter", number=13)
    page.wait_for_text("default / backend-2", "main h2")
    page.press(".")
    page.wait_for_text("Paused", "header")
    page.press(".")
    page.wait_for_text("Live", "header")
    page.press("?")
    page.wait_for("document.querySelector('#keys').open")
    assert page.complaints() == []


def test_nothing_but_the_page_itself_is_asked_for_twice(browser: Browser, daemon: Daemon) -> None:
    page = opened(browser, daemon)
    page.wait_for_text("Proxies online", "main")
    page.call("Page.reload")
    page.wait_for_text("Proxies online", "main")
    kept = page.value(
        "performance.getEntriesByType('resource')"
        ".filter(e => e.name.includes('/gui/') && e.transferSize > 0).map(e => e.name)"
    )
    assert kept == []


def test_without_the_console_there_is_nothing_at_its_path(tmp_path: Path) -> None:
    with running(tmp_path, environment={"KUMA_API_SERVER_GUI_ENABLED": "false"}) as daemon:
        assert daemon.api("GET", "/").json["gui"] == ""
        assert daemon.api("GET", "/gui").status == 404


def test_the_console_may_lie_elsewhere_and_the_index_says_where(
    browser: Browser, tmp_path: Path
) -> None:
    environment = {"KUMA_API_SERVER_BASE_PATH": "/mesh", "KUMA_API_SERVER_GUI_BASE_PATH": "/ui"}
    with running(tmp_path, environment=environment) as daemon:
        assert daemon.api("GET", "/mesh").json["gui"] == "/ui"
        address = daemon.addresses["api"].split()[0].replace("127.0.0.1", "localhost")
        page = browser.page(f"{address}/ui/old/bookmark")
        page.wait_for_text("There is no data plane proxy yet", "main")
        assert page.complaints() == []
