"""The dashboard of a running gateway: what it shows is what the gateway counts, and what it does happens."""

import json
import pathlib
import re
import subprocess

import pytest
from browser import PHONE
from configurations import endpoints, model_rewrite, pool, write
from harness import chat, eventually, fetch_json
from load import ClosedLoop
from raw_http import ask

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "a token of sufficient length"
SCORERS = {"queue-scorer": 2, "kv-cache-utilization-scorer": 2, "prefix-cache-scorer": 3}
SEND = ".playground button.primary"
# What the browser itself writes down about an answer of 400 and more that a test wants.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


def picker_resource():
    """An EndpointPickerConfig with queues."""
    return {
        "apiVersion": "llm-d.ai/v1alpha1",
        "kind": "EndpointPickerConfig",
        "metadata": {"name": "pool"},
        "featureGates": ["flowControl"],
        "plugins": [{"type": name} for name in SCORERS],
        "schedulingProfiles": [
            {
                "name": "default",
                "plugins": [{"pluginRef": name, "weight": weight} for name, weight in SCORERS.items()],
            }
        ],
    }


@pytest.fixture(scope="module")
def simulators(shared):
    adapters = ("poet", "poet", "lawyer", "lawyer")
    return [shared.simulator("--lora-adapters", adapter, model="m") for adapter in adapters]


@pytest.fixture(scope="module")
def file(shared, simulators):
    rewrite = model_rewrite("rollout", "pool", (["writer"], {"poet": 90, "lawyer": 10}))
    resources = (pool("pool", "pool"), endpoints(simulators, "pool"), picker_resource(), rewrite)
    return write(shared.folder / "dashboard.yaml", *resources)


@pytest.fixture(scope="module")
def gateway(shared, file, tmp_path_factory):
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(TOKEN)
    arguments = ("--config", file, "--served-header", "--admin-token-file", token)
    return shared.gateway(*arguments).await_models()


@pytest.fixture
def look(browser):
    """Opens the dashboard of a gateway; in the end it must not have complained, nor asked anybody else."""
    opened = []

    def open_page(gateway, **options):
        opened.append(browser.open(gateway.admin, **options).await_live())
        return opened[-1]

    yield open_page
    for dashboard in opened:
        complaints = [text for text in dashboard.complaints if not REFUSED.search(text)]
        strangers = dashboard.strangers
        dashboard.close()
        assert complaints == [] and strangers == []


def whole(cell):
    """The whole number that a cell shows."""
    return int(cell.inner_text().replace(",", ""))


def body(number, **more):
    """Requests of a few conversations, so that prefixes come again."""
    text = f"Conversation {number % 12}: " + "tell me more about the birds that never land. " * 12
    return chat("m", **{"text": text, "stream": number % 3 != 0, "max_tokens": 24} | more)


def test_numbers_are_those_of_the_metrics(gateway, look):
    dashboard = look(gateway)
    with ClosedLoop(gateway.port, 6, body) as load:
        load.await_outcomes(60)
        # While there is load, the page says so.
        dashboard.await_true("() => parseFloat(document.querySelector('[data-key=requests] b').textContent) > 0")
        dashboard.await_true("() => /ms|s/.test(document.querySelector('[data-key=ttft] .unit').textContent)")
    load.assert_no_failures()
    assert ask(gateway.port, chat("nobody-has-it")).status == 404
    total, errors = (gateway.metric(f"llm_d_epp_request{kind}_total") for kind in ("", "_error"))
    note = "([key, text]) => document.querySelector(`[data-key=${key}] .note`).textContent === text"
    dashboard.await_true(note, ["requests", f"{total:,.0f} since start"])
    dashboard.await_true(note, ["errors", f"{errors:,.0f} since start"])
    dashboard.await_true("() => document.querySelector('[data-key=in-flight] b').textContent === '0'")
    told = {
        row.locator("th").get_attribute("data-outcome"): whole(row.locator("td.number").first)
        for row in dashboard.page.locator("table.bars tbody tr").all()
    }
    assert told["completed"] >= len(load.outcomes) and sum(told.values()) == total


def test_endpoints_are_those_of_the_state(gateway, simulators, look):
    dashboard = look(gateway)
    dashboard.go("endpoints")
    with ClosedLoop(gateway.port, 4, lambda number: body(number, max_tokens=200)) as load:
        load.await_outcomes(8)
        cells = "[...document.querySelectorAll('.grid-rows .c-in_flight')]"
        busy = f"() => {cells}.some(cell => Number(cell.textContent) > 0)"
        dashboard.await_true(busy)
    names = dashboard.page.locator(".grid-rows .grid-row:not([hidden]) .c-name").all_inner_texts()
    assert sorted(names) == [f"pool-{number}" for number in range(len(simulators))]
    idle = busy.replace(".some", ".every").replace("> 0", "=== 0")
    dashboard.await_true(idle)
    dashboard.go("endpoints", "pool", "default", "pool-1")
    facts = dict(
        zip(
            dashboard.page.locator(".panel dt").all_inner_texts(),
            dashboard.page.locator(".panel dd").all_inner_texts(),
            strict=True,
        )
    )
    assert facts["Address"] == simulators[1].address and facts["app"] == "pool"
    assert dashboard.page.locator(".panel .plain-list a").count() > 0, "its last requests"


def test_a_decision_is_what_explain_prints(gateway, martlet, look):
    dashboard = look(gateway)
    page = dashboard.page
    answer = ask(gateway.port, chat("poet", text="A verse about swifts"), headers=[("x-request-id", "a verse")])
    assert answer.status == 200
    dashboard.go("requests")
    page.select_option("select[aria-label=Model]", "poet")
    page.locator("tr[data-id='a verse'] .r-outcome").click()
    page.wait_for_selector("table.decision")
    assert page.title() == "Request a verse · Martlet"
    explained = subprocess.run(
        [martlet, "explain", "--admin", gateway.admin, "a verse", "--output", "json"],
        capture_output=True, text=True, timeout=30, check=True,
    )
    decision = json.loads(explained.stdout)["decisions"][0]
    (profile,) = decision["profiles"]
    assert page.locator(".pick").get_attribute("data-picked") == decision["picked"][0]
    assert dashboard.text("tr.picked th").endswith(decision["picked"][0].removeprefix("default/"))
    shown = {
        re.sub(r"^Picked\s*", "", row.locator("th").inner_text()): row.locator("td.score span").all_inner_texts()
        for row in page.locator("table.decision tbody tr:not(.removed-row)").all()
    }
    scores = [step["scores"] for step in profile["steps"] if step["stage"] == "scorer"]
    assert len(scores) == len(SCORERS)
    for place, endpoint in enumerate(profile["scored"]):
        expected = [*(column[place] for column in scores), profile["totals"][place]]
        assert shown[endpoint.removeprefix("default/")] == [f"{value:.3f}" for value in expected]
    assert len(shown) == len(profile["scored"])
    addresses = {endpoint["endpoint"]: endpoint["address"] for endpoint in decision["endpoints"]}
    assert addresses[decision["picked"][0]] == answer.headers["x-gateway-destination-endpoint-served"]
    assert page.locator(".timeline i").count() >= 2


def test_requests_are_filtered(gateway, look):
    dashboard = look(gateway)
    page = dashboard.page
    ask(gateway.port, chat("m"), headers=[("x-request-id", "a good one")])
    ask(gateway.port, chat("nobody-has-it"), headers=[("x-request-id", "a bad one")])
    dashboard.go("requests")
    page.wait_for_selector("tr[data-id='a good one']")
    page.select_option("select[aria-label=Outcome]", "failed")
    page.wait_for_selector("tr[data-id='a good one']", state="detached")
    row = page.locator("tr[data-id='a bad one']").first
    assert "model not found" in row.inner_text().lower()
    page.select_option("select[aria-label=Outcome]", "")
    dashboard.press("/")
    page.keyboard.type("a good")
    page.wait_for_selector("tr[data-id='a bad one']", state="detached")
    page.wait_for_selector("tr[data-id='a good one']")
    page.fill("input[type=search]", "nothing is called so")
    page.wait_for_selector("text=No request that the gateway remembers is like that.")


def test_the_whole_tour_by_keyboard(gateway, look):
    dashboard = look(gateway)
    page = dashboard.page
    ask(gateway.port, chat("m"), headers=[("x-request-id", "by keyboard")])
    dashboard.press("Tab")
    assert dashboard.focused() == "skip"
    dashboard.press("Enter")
    assert dashboard.focused() == "view"
    # A chart's crosshair.
    while dashboard.focused() != "chart-field":
        dashboard.press("Tab")
    dashboard.press("ArrowLeft", "ArrowLeft")
    dashboard.await_true("() => document.querySelector('.chart .when').textContent.includes(':')")
    # Endpoints: down to the second one, open, close.
    dashboard.press("g", "e")
    page.wait_for_selector("[role=grid]")
    assert page.title() == "Endpoints · Martlet"
    while dashboard.focused("node => node.getAttribute('role')") != "grid":
        dashboard.press("Tab")
    dashboard.press("ArrowDown", "ArrowDown", "Enter")
    page.wait_for_selector(".panel:not([hidden])")
    assert dashboard.text(".panel h2") == "pool-1"
    dashboard.press("Escape")
    page.wait_for_selector(".panel", state="hidden")
    assert dashboard.focused("node => node.getAttribute('role')") == "grid"
    # Requests: the newest one, open, back.
    dashboard.press("g", "d")
    page.wait_for_selector("tr[data-id='by keyboard']")
    while dashboard.focused("node => node.closest('tr')?.dataset.id") is None:
        dashboard.press("Tab")
    dashboard.press("ArrowDown", "k", "Enter")
    page.wait_for_selector("table.decision")
    assert page.title().startswith("Request ")
    dashboard.press("Escape")
    page.wait_for_selector("table.decision", state="hidden")
    for key, title in (("r", "Routes"), ("q", "Queues"), ("l", "Live"), ("p", "Playground")):
        dashboard.press("g", key)
        dashboard.await_true("title => document.title === title", f"{title} · Martlet")
    # The playground: write, send, read.
    dashboard.press("/")
    assert dashboard.focused() == "playground-prompt"
    page.keyboard.press("Control+A")
    page.keyboard.type("What does a swift eat?")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("table.decision")
    dashboard.press("Escape", "?")
    page.wait_for_selector("dialog[open]")
    dashboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")


def test_the_playground(gateway, look):
    dashboard = look(gateway)
    page = dashboard.page
    dashboard.go("playground")
    page.fill("#playground-model", "poet")
    page.fill("#playground-prompt", "Why do swifts sleep in flight?")
    page.locator(SEND).click()
    page.wait_for_selector("table.decision")
    assert dashboard.text(".play-answer .summary") == "Status 200, complete."
    assert len(dashboard.text(".answer")) > 10
    numbers = dict(zip(page.locator(".numbers dt").all_inner_texts(), page.locator(".numbers dd").all_inner_texts()))
    assert re.search(r"\d", numbers["First token"]) and "tokens/s" in numbers["Speed"]
    header = page.locator(".headers dt", has_text="x-gateway-destination-endpoint-served")
    served = header.locator("+ dd").text_content()
    picked = page.locator(".pick").get_attribute("data-picked").removeprefix("default/")
    assert gateway.endpoints()[served]["name"] == picked
    # As JSON, without a stream, and for a model that nobody has.
    page.locator("button", has_text="Edit JSON").click()
    page.fill("textarea.mono", json.dumps(chat("m", text="Hello")))
    page.locator(SEND).click()
    dashboard.await_true("() => /complete/.test(document.querySelector('.play-answer .summary').textContent)")
    assert len(dashboard.text(".answer")) > 0
    page.fill("textarea.mono", json.dumps(chat("nobody-has-it")))
    page.locator(SEND).click()
    page.wait_for_selector(".answer[data-tone=bad]")
    assert dashboard.text(".answer").startswith("404: ")
    page.fill("textarea.mono", "{")
    page.locator(SEND).click()
    dashboard.await_true("() => /no JSON/.test(document.querySelector('.answer').textContent)")


def test_an_endpoint_is_drained_with_the_token_only(gateway, simulators, look):
    dashboard = look(gateway)
    page = dashboard.page
    dashboard.go("endpoints", "pool", "default", "pool-0")
    served = lambda: ask(gateway.port, chat("m")).headers["x-gateway-destination-endpoint-served"]
    page.locator(".panel button", has_text="Drain").click()
    page.locator("dialog button.primary").click()
    page.fill("dialog input", "not the right token at all")
    dashboard.press("Enter")
    page.wait_for_selector("dialog p:has-text('did not take the token')")
    page.fill("dialog input", TOKEN)
    dashboard.press("Enter")
    page.wait_for_selector(".panel .state:has-text('Draining')")
    assert {served() for _ in range(12)}.isdisjoint({simulators[0].address})
    page.locator(".panel button", has_text="Take it back").click()
    page.locator("dialog button.primary").click()
    page.wait_for_selector(".panel .state:has-text('Available')")


def test_a_rollout_is_seen_and_changed(gateway, file, look):
    dashboard = look(gateway)
    page = dashboard.page
    for _ in range(20):
        assert ask(gateway.port, chat("writer")).status == 200
    dashboard.go("routes")
    rows = {name: page.locator(f"tr[data-target='rollout/{name}']") for name in ("poet", "lawyer")}
    counted = {name: gateway.metric("llm_d_epp_model_rewrite_decisions_total", target_model=name) or 0 for name in rows}
    for name, row in rows.items():
        page.wait_for_selector(f"tr[data-target='rollout/{name}'][data-requests='{counted[name]:.0f}']")
    assert sum(counted.values()) == 20
    rows["lawyer"].locator("button").click()
    page.fill("dialog input", "110")
    dashboard.press("Enter")
    page.locator("dialog button.primary").click()
    page.fill("dialog input[type=password]", TOKEN)
    dashboard.press("Enter")
    page.wait_for_selector("tr[data-target='rollout/lawyer'] td.number:has-text('110')")
    assert rows["lawyer"].locator("td.share").first.inner_text().startswith("55")
    targets = next(
        document for document in (json.loads(part) for part in file.read_text().split("---\n"))
        if document["kind"] == "InferenceModelRewrite"
    )["spec"]["rules"][0]["targets"]
    assert {target["modelRewrite"]: target["weight"] for target in targets} == {"poet": 90, "lawyer": 110}


def test_without_a_token_nothing_acts(services, simulators, look):
    gateway = services.gateway_over(simulators)
    dashboard = look(gateway)
    dashboard.go("endpoints", "default", "default", "endpoint-0")
    dashboard.page.wait_for_selector(".panel .state:has-text('Available')")
    assert dashboard.page.locator(".panel button:visible").count() == 1, "only that which closes"
    dashboard.go("live")
    dashboard.page.wait_for_selector("text=No request yet")
    assert f"curl {gateway.url}/v1/chat/completions" in dashboard.text(".hello pre")
    dashboard.go("queues")
    dashboard.page.wait_for_selector("text=No pool has a queue")
    dashboard.go("requests")
    dashboard.page.wait_for_selector("text=No request has ended yet")


def test_an_endpoint_picker_explains_instead_of_sending(services, simulators, look):
    picker = services.endpoint_picker([simulator.address for simulator in simulators]).await_models()
    dashboard = look(picker)
    dashboard.go("playground")
    dashboard.page.fill("#playground-model", "m")
    dashboard.page.locator(SEND, has_text="Explain").click()
    dashboard.page.wait_for_selector("table.decision tr.picked")
    assert fetch_json(picker.admin + "/api/decisions")["decisions"] == [], "nothing was sent"


@pytest.mark.timeout(900)
def test_pictures(gateway, look, pictures, request):
    """Pictures under load, for people: in .build/screenshots, and with --update-pictures the one of the documents."""
    update = request.config.getoption("--update-pictures")
    dashboard = look(gateway)
    def streams(number):
        # Engines count a stream's tokens only when they are asked to.
        usage = {"stream_options": {"include_usage": True}}
        return body(number, stream=True, max_tokens=20 + number * 7 % 160, **usage)

    if update:
        # Five minutes of tides, so that the charts have something to show.
        for workers in (3, 8, 14, 9, 4, 11, 16, 7):
            with ClosedLoop(gateway.port, workers, streams) as tide:
                tide.await_outcomes(workers * 32, within=120)
    with ClosedLoop(gateway.port, 10, streams) as load:
        load.await_outcomes(40, within=60)
        dashboard.picture(pictures / "live-wide.png")
        if update:
            picture = ROOT / "docs/images/dashboard.png"
            dashboard.picture(picture)
            assert picture.stat().st_size < 300_000
        for name, options in (("dark", {"scheme": "dark"}), ("phone", {"size": PHONE})):
            other = look(gateway, **options)
            for place in (("live",), ("endpoints",), ("endpoints", "pool", "default", "pool-1"), ("requests",)):
                other.go(*place)
                eventually(lambda: other.page.locator(".view:visible").count() > 0, "the view")
                other.picture(pictures / f"{'-'.join(place)}-{name}.png")
        for place in ("requests", "routes", "queues"):
            dashboard.go(place)
            dashboard.page.wait_for_selector(".view .card")
            dashboard.picture(pictures / f"{place}-wide.png")
    dashboard.go("requests")
    dashboard.page.locator("table.requests tbody a").first.click()
    dashboard.page.wait_for_selector("table.decision")
    dashboard.picture(pictures / "decision-wide.png")
    dashboard.go("playground")
    dashboard.page.locator(SEND).click()
    dashboard.page.wait_for_selector("table.decision")
    dashboard.picture(pictures / "playground-wide.png")
