"""Parts of the dashboard on their own, in the browser that will run them."""

import json
import random
import subprocess
import sys

import pytest
from dashboard_player import Player, World
from harness import chat, eventually


@pytest.fixture(scope="module")
def page(browser):
    """A page that can import the dashboard's modules."""
    player = Player(World(3))
    dashboard = browser.open(player.url)
    yield dashboard.await_live().page
    assert dashboard.complaints == []
    dashboard.close()
    player.stop()


def call(page, module, function, *arguments):
    """What a function of one of the modules gives."""
    source = "async ([module, name, rest]) => (await import(`/dashboard/${module}`))[name](...rest)"
    return page.evaluate(source, [module, function, list(arguments)])


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        ("short", None, "–"), ("short", 0, "0"), ("short", 0.04, "0.04"), ("short", 3.25, "3.3"), ("short", 7, "7"),
        ("short", 870.4, "870"), ("short", 12_345, "12.3k"), ("short", 999_600, "1.0M"), ("short", 4_510_000, "4.5M"),
        ("count", 1_204_331, "1,204,331"), ("share", 0.734, "73 %"), ("share", 0.021, "2.1 %"), ("share", 0, "0 %"),
        ("share", None, "–"), ("duration", 0.0000852, "85 µs"), ("duration", 0.0021, "2.1 ms"),
        ("duration", 0.0999, "100 ms"), ("duration", 1.254, "1.25 s"), ("duration", 59.96, "60.0 s"),
        ("duration", 200, "3 min"), ("duration", 90_000, "25 h"), ("duration", None, "–"), ("duration", 0, "0 ms"),
        ("bytes", 999, "999 B"), ("bytes", 24_140, "24.1 kB"), ("bytes", 1_500_000, "1.5 MB"), ("ago", 0.4, "now"),
        ("ago", 61, "61 s ago"), ("ago", 7_100, "118 min ago"), ("words", "modelNotFound", "model not found"),
        ("titled", "queueFull", "Queue full"), ("titled", "no-endpoint", "No endpoint"),
    ],
)
def test_numbers_and_words(page, function, value, text):
    assert call(page, "format.js", function, value).replace("\u202f", " ") == text


def test_events_in_pieces_of_any_size(page):
    wanted = [
        {"type": "hello", "data": '{"a": "é😀"}', "id": None},
        {"type": "message", "data": "two\nlines", "id": "7"},
        {"type": "tick", "data": "", "id": None},
    ]
    stream = (
        ': a comment\nevent: hello\ndata: {"a": "é😀"}\n\nid: 7\r\ndata: two\r\ndata:lines\r\n\r\n'
        "event: nothing\n\nevent: tick\ndata\n\ndata: never ended"
    ).encode()
    read = """async pieces => {
        const { events } = await import("/dashboard/events.js");
        const chunks = pieces.map(piece => new Uint8Array(piece));
        const body = new ReadableStream({
            pull(controller) {
                if (chunks.length) controller.enqueue(chunks.shift());
                else controller.close();
            },
        });
        const found = [];
        for await (const event of events(body)) found.push(event);
        return found;
    }"""
    chance = random.Random(7)
    for most in (1, 2, 5, 30, len(stream)):
        pieces, rest = [], stream
        while rest:
            size = chance.randint(1, most)
            pieces.append(list(rest[:size]))
            rest = rest[size:]
        assert page.evaluate(read, pieces) == wanted, f"in pieces of up to {most} bytes"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_snippets_run(page, shared, stream):
    gateway = shared.gateway_over([shared.simulator(model="m")]).await_models()
    body = chat("m", text="It's a \"quoted\"\nquestion with $HOME and `ticks`", stream=stream, temperature=0.7)
    line = call(page, "snippets.js", "asCurl", gateway.url + "/v1/chat/completions", body)
    done = subprocess.run(["sh", "-c", line.replace("curl", "curl -sS", 1)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    if stream:
        assert done.stdout.endswith("data: [DONE]\n\n")
    else:
        assert json.loads(done.stdout)["choices"]
    program = call(page, "snippets.js", "asPython", gateway.url, body)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and len(done.stdout) > 5, done.stderr


def test_rows_of_endpoints_that_come_and_go(page):
    told = page.evaluate("""async () => {
        const { Endpoints } = await import("/dashboard/store.js");
        const endpoints = new Endpoints();
        const facts = id => ({ id, pool: 0, name: `e${id}`, namespace: "n", address: "", labels: {} });
        const rows = (ids, waiting) => ({
            id: ids, waiting, running: ids, kv: ids, hit: ids, in_flight: ids, age: ids, state: ids.map(() => 0),
        });
        for (let id = 0; id < 200; id += 1) endpoints.add(facts(id));
        endpoints.apply(rows([0, 150, 999], [5, 7, 9]));
        const before = [endpoints.count, endpoints.columns.waiting[endpoints.position(150)]];
        endpoints.remove(0);
        endpoints.add(facts(900));
        const at = endpoints.position(900);
        return [...before, endpoints.position(0) ?? null, at, endpoints.columns.waiting[at], endpoints.columns.age[at],
            endpoints.find(0, "n", "e900") === at, endpoints.count];
    }""")
    assert told == [200, 7, None, 0, 0, -1, True, 200], "a place is taken again, and has nothing of the one before"


def test_a_job_that_fails_holds_up_no_other(browser):
    # No tick asks for another frame meanwhile.
    player = Player(World(3), pace=3600)
    dashboard = browser.open(player.url).await_live()
    done = dashboard.page.evaluate("""async () => {
        const { nextFrame } = await import("/dashboard/frame.js");
        return new Promise(resolve => {
            nextFrame("a job that fails", () => { throw new Error("on purpose"); });
            nextFrame("another one", () => resolve(true));
            setTimeout(resolve, 5000, false);
        });
    }""")
    assert done
    eventually(lambda: dashboard.page.evaluate("1") and dashboard.complaints, "what nobody caught")
    assert len(dashboard.complaints) == 1 and "on purpose" in dashboard.complaints[0]
    dashboard.close()
    player.stop()


def test_a_panel_that_was_closed_is_not_drawn(page):
    """The tick asks for the panel, it is closed before the frame comes, and then the frame comes."""
    outcome = page.evaluate("""async () => {
        const until = async isSo => {
            while (!isSo()) await new Promise(resolve => setTimeout(resolve, 5));
        };
        const panel = () => document.querySelector(".panel:not([hidden])");
        location.hash = "#/endpoints/llama/default/" + encodeURIComponent(NAME);
        await until(() => panel()?.querySelector(".facts div"));
        const real = window.requestAnimationFrame;
        const held = [];
        window.requestAnimationFrame = job => held.push(job);
        await until(() => held.length > 0);
        location.hash = "#/endpoints";
        await until(() => !panel());
        window.requestAnimationFrame = real;
        for (const job of held) real(job);
        await new Promise(resolve => real(() => setTimeout(resolve)));
        return held.length;
    }""".replace("NAME", json.dumps(World(3).facts[0]["name"])))
    assert outcome > 0
