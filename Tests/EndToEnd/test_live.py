"""The dashboard's data: the live feed, the last requests, the playground, and acting with the admin token."""

import base64
import json
import re
import socket
import urllib.parse

import pytest
from configurations import backend, endpoints, gateway_resource, model_rewrite, plain_gateway, pool, route, rule, write
from harness import chat, eventually, fetch, fetch_json, free_port
from live_reader import LiveReader
from raw_http import ask
from test_http2 import self_signed

TOKEN = "a-token-of-the-tests-0123456789"
AVAILABLE, EJECTED, DRAINING, STALE, NOT_ASKED = range(5)


@pytest.fixture(scope="module")
def simulators(shared):
    return [shared.simulator("--lora-adapters", "poet"), shared.simulator()]


@pytest.fixture(scope="module")
def gateway(shared, simulators, tmp_path_factory):
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(TOKEN + "\n")
    return shared.gateway_over(simulators, "--admin-token-file", token).await_models()


def post(gateway, path, body, **headers):
    status, _, content = fetch(gateway.admin + path, body, "POST", {k.replace("_", "-"): v for k, v in headers.items()})
    return status, content.decode()


def drain(gateway, name, draining=True, pool="default", token=TOKEN):
    wish = {"pool": pool, "namespace": "default", "endpoint": name, "draining": draining}
    return post(gateway, "/api/endpoints/drain", wish, authorization=f"Bearer {token}")


# The page.


def test_a_browser_gets_the_page_and_a_program_the_list(gateway):
    status, headers, page = fetch(gateway.admin + "/", headers={"accept": "text/html,*/*;q=0.8"})
    assert status == 200 and headers["content-type"] == "text/html; charset=utf-8" and b"<html" in page
    assert "default-src 'none'" in headers["content-security-policy"]
    status, again, nothing = fetch(
        gateway.admin + "/", headers={"accept": "text/html", "if-none-match": headers["etag"]}
    )
    assert (status, nothing) == (304, b"") and again["etag"] == headers["etag"]
    status, headers, text = fetch(gateway.admin + "/")
    assert headers["content-type"].startswith("text/plain") and b"/api/live" in text
    for other in ("/dashboard/", "/dashboard/index.html"):
        assert fetch(gateway.admin + other, headers={"accept": "text/html"})[2] == page, "it leads to the page"
    assert fetch(gateway.admin + "/dashboard/no-such-file.js")[0] == 404


def test_every_file_that_the_page_names_is_there(gateway):
    _, _, page = fetch(gateway.admin + "/", headers={"accept": "text/html"})
    paths = set(re.findall(r'(?:src|href)="([^"#]+)"', page.decode()))
    assert len(paths) > 5
    for path in paths:
        assert fetch(urllib.parse.urljoin(gateway.admin + "/", path))[0] == 200, path


# The live feed.


def test_hello_and_ticks_are_what_state_and_metrics_say(gateway, simulators):
    for number in range(4):
        assert ask(gateway.port, chat(text=f"{number}", stream=True)).status == 200
    assert ask(gateway.port, chat("unheard-of")).status == 404
    with LiveReader(gateway.admin) as reader:
        assert reader.response.getheader("content-type") == "text/event-stream"
        assert reader.next() == "hello"
        hello = reader.hello
        assert hello["mode"] == "serve" and hello["playground"] and hello["actions"]
        assert hello["listeners"] == [gateway.url] and hello["interval_seconds"] == 1
        (route,) = hello["routes"]
        assert route["backends"] == [{"pool": "default", "namespace": "default", "weight": 1}]
        assert (route["host"], route["path"], route["path_kind"]) == ("*", "/", "prefix")
        state = gateway.state()
        assert hello["version"] == state["version"]
        assert [p["name"] for p in hello["pools"]] == [p["name"] for p in state["pools"]]
        by_name = {e["name"]: e for e in state["pools"][0]["endpoints"]}
        assert {e["name"]: e["address"] for e in hello["endpoints"]} == {n: e["address"] for n, e in by_name.items()}
        assert sorted(reader.models[0]) == sorted(state["pools"][0]["models"])
        assert len({len(column) for column in hello["history"].values()}) == 1
        for _ in range(2):
            assert reader.next() == "tick"
        assert [number for _, number, _ in reader.events][1:] == [
            reader.events[0][1] + 1, reader.events[0][1] + 2
        ]
        tick = reader.tick
        assert tick["totals"]["requests"] == gateway.metric("llm_d_epp_request_total")
        assert tick["totals"]["errors"] == gateway.metric("llm_d_epp_request_error_total")
        assert tick["outcomes"]["completed"] >= 4 and tick["outcomes"]["modelNotFound"] >= 1
        assert tick["ready"] and not tick["draining"] and tick["obstacle"] is None
        assert tick["global"]["in_flight"] == 0 and tick["pools"][0]["available"] == 2
        reader.until(lambda r: not any(e["running"] for e in r.endpoints.values()), "a scrape of the idle endpoints")
        for endpoint in reader.endpoints.values():
            assert endpoint["state"] == AVAILABLE
            assert (endpoint["waiting"], endpoint["in_flight"]) == (0, 0)


def test_figures_of_the_last_seconds(gateway):
    with LiveReader(gateway.admin) as reader:
        reader.next()
        for number in range(6):
            assert ask(gateway.port, chat(text=f"figures {number}", stream=number % 2 == 0)).status == 200
        reader.until(lambda r: r.tick["global"]["ttft"] and r.tick["global"]["output_tokens"], "the requests")
        figures = reader.tick["global"]
        for name in ("ttft", "duration"):
            assert 0 < figures[name]["p50"] <= figures[name]["p90"] <= figures[name]["p99"] < 60, figures
        assert 0 < figures["decision_us"]["p50"] <= figures["decision_us"]["p99"]
        assert figures["cpu"] > 0
        with LiveReader(gateway.admin) as later:
            later.next()
            assert any(later.hello["history"]["requests"]), "the history is there before anybody looks"
            assert sum(later.hello["history"]["output_tokens"]) > 0


def still(known):
    """What is known, without what changes while nobody looks."""
    facts, models = known
    return {n: {k: v for k, v in e.items() if k not in ("age", "state")} for n, e in facts.items()}, models


def test_what_changed_gives_the_same_as_a_new_hello(services, tmp_path):
    simulators = services.simulators(3)
    file, port = tmp_path / "gateway.yaml", free_port()
    config = lambda chosen: (plain_gateway(port), pool("sims", "sim"), endpoints(chosen, "sim"))
    write(file, *config(simulators[:2]))
    gateway = services.gateway("--config", file, listen=False, port=port).await_models()
    with LiveReader(gateway.admin) as reader:
        reader.next()
        assert {e["name"] for e in reader.endpoints.values()} == {"sim-0", "sim-1"}
        numbers = {e["name"]: n for n, e in reader.endpoints.items()}
        write(file, *config(simulators))
        reader.until(lambda r: r.named("sim-2"), "the endpoint that came")
        assert {e["name"]: n for n, e in reader.endpoints.items()} == {**numbers, "sim-2": 2}
        simulators[1].kill()
        reader.until(lambda r: r.named("sim-1")["state"] == EJECTED, "the ejection")
        assert reader.named("sim-1")["ejection"]
        reader.until(lambda r: r.named("sim-2")["state"] == AVAILABLE, "the metrics of the new one")
        write(file, *config(simulators[1:]))
        reader.until(lambda r: {e["name"] for e in r.endpoints.values()} == {"sim-0", "sim-1"}, "the removal")

        # What is still does not change between the two.
        def same():
            reader.next()
            with LiveReader(gateway.admin) as other:
                other.next()
                return still(other.known()) == still(reader.known())

        eventually(same, "two readers who know the same", every=0)


def test_seventeen_are_too_many(gateway):
    readers = [LiveReader(gateway.admin) for _ in range(16)]
    try:
        for reader in readers:
            assert reader.response.status == 200 and reader.next() == "hello"
        status, _, content = fetch(gateway.admin + "/api/live")
        assert status == 503 and b"16 readers" in content
        readers.pop().close()
        eventually(lambda: LiveReader(gateway.admin).response.status == 200, "a place that was given back")
    finally:
        for reader in readers:
            reader.close()
    status, _, _ = fetch(gateway.admin + "/api/live", {}, "POST")
    assert status == 405


def test_a_slow_reader_holds_up_nobody(services):
    simulator = services.simulator()
    names = [f"slow-{number:03}-{'x' * 200}" for number in range(200)]
    gateway = services.gateway(*(part for name in names for part in ("--endpoint", f"{name}={simulator.url}")))
    with LiveReader(gateway.admin) as fast, LiveReader(gateway.admin, receive_bytes=4096, timeout=60) as slow:
        assert slow.response.status == 200
        before = gateway.resident_bytes()
        while len(fast.events) < 5:
            fast.next()
        assert [event for event, _, _ in fast.events] == ["hello"] + ["tick"] * 4, "nobody waits for the slow one"
        assert gateway.resident_bytes() - before < 64 << 20
        last = fast.events[-1][1]
        while not slow.events or slow.events[-1][1] < last:
            slow.next()
        numbers = [number for _, number, _ in slow.events]
        assert numbers == sorted(numbers)


def test_a_shutdown_ends_the_streams(services):
    gateway = services.gateway_over(services.simulators(1))
    with LiveReader(gateway.admin) as reader:
        assert reader.next() == "hello"
        gateway.process.terminate()
        while reader.next() is not None:
            pass
        assert gateway.process.wait(timeout=30) == 0


def test_without_a_dashboard(services):
    gateway = services.gateway_over(services.simulators(1), "--dashboard=false")
    for path in ("/api/live", "/api/requests", "/dashboard/index.html", "/api/playground"):
        assert fetch(gateway.admin + path)[0] == 404, path
    assert fetch(gateway.admin + "/", headers={"accept": "text/html"})[1]["content-type"].startswith("text/plain")


# Requests.


def test_the_last_requests_and_their_ends(gateway):
    assert ask(gateway.port, chat(text="requests"), headers=[("x-request-id", "of-interest")]).status == 200
    assert ask(gateway.port, chat("nobody-serves-this"), headers=[("x-request-id", "lost")]).status == 404
    listed = fetch_json(gateway.admin + "/api/requests?limit=2")["requests"]
    assert [request["request_id"] for request in listed] == ["lost", "of-interest"]
    lost, good = listed
    assert (good["outcome"], good["status"], good["model"], good["pool"]) == ("completed", 200, "sim-model", "default")
    assert good["prompt_tokens"] > 0 and good["output_tokens"] == 8
    assert 0 < good["ttft_seconds"] <= good["duration_seconds"] and good["decision_us"] > 0
    assert good["address"] in gateway.endpoints() and good["attempts"] == 1
    assert (lost["outcome"], lost["reason"], lost["status"]) == ("refused", "modelNotFound", 404)
    assert "nobody-serves-this" in lost["message"] and lost["attempts"] == 0
    assert fetch_json(gateway.admin + "/api/decisions/of-interest")["decisions"]
    ids = lambda query: [r["request_id"] for r in fetch_json(gateway.admin + "/api/requests?" + query)["requests"]]
    assert ids("outcome=failed&limit=1") == ["lost"] and ids("outcome=modelNotFound&limit=1") == ["lost"]
    assert ids("outcome=completed&limit=1") == ["of-interest"] and ids("text=OF-INT") == ["of-interest"]
    assert "lost" not in ids(f"endpoint={good['endpoint']}") and ids("model=nobody-serves-this") == ["lost"]
    assert fetch(gateway.admin + "/api/requests?limit=x")[0] == 400


def test_a_query_is_nobodys_to_read_or_find(gateway):
    for path in ("/v1/chat/completions", "/v1/nowhere"):
        ask(gateway.port, chat(), path=path + "?key=query-key", headers=[("x-request-id", "with-a-query")])
    listed = fetch(gateway.admin + "/api/requests?text=with-a-query")[2]
    assert [request["path"] for request in json.loads(listed)["requests"]] == ["/v1/nowhere", "/v1/chat/completions"]
    assert b"query-key" not in listed
    assert fetch_json(gateway.admin + "/api/requests?text=query-key")["requests"] == []


# The playground.


def test_a_request_of_the_playground_streams(gateway):
    wish = {"listener": None, "body": chat(stream=True, max_tokens=20), "headers": {"x-tag": "a"}}
    status, headers, content = fetch(gateway.admin + "/api/playground", wish)
    assert status == 200 and headers["x-playground-status"] == "200"
    assert headers["content-type"].startswith("text/event-stream") and content.endswith(b"data: [DONE]\n\n")
    told = json.loads(headers["x-playground-headers"])
    assert told["x-gateway-destination-endpoint-served"] in gateway.endpoints()
    number = headers["x-request-id"]
    assert fetch_json(gateway.admin + f"/api/decisions/{number}")["decisions"][0]["picked"]
    refused = {"listener": gateway.url, "body": chat("unheard-of")}
    status, headers, content = fetch(gateway.admin + "/api/playground", refused)
    assert status == 200 and headers["x-playground-status"] == "404"
    assert json.loads(content)["error"]["code"] == "model_not_found"


def test_the_playground_over_tls(services, simulators, tmp_path):
    certificate, key = self_signed(tmp_path)
    data = {"tls.crt": certificate, "tls.key": key}
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own"}, "type": "kubernetes.io/tls",
        "data": {name: base64.b64encode(path.read_bytes()).decode() for name, path in data.items()},
    }
    port = free_port()
    listener = {
        "name": "https", "protocol": "HTTPS", "port": port,
        "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": "own"}]},
    }
    file = write(
        tmp_path / "gateway.yaml", gateway_resource([listener]), secret, route("all", rule([backend("sims")])),
        pool("sims", "sim"), endpoints(simulators, "sim"),
    )
    gateway = services.gateway("--config", file, listen=False, port=port).await_models()
    for body, end in ((chat(stream=True, max_tokens=20), b"data: [DONE]\n\n"), (chat(text="z " * 10_000), b"}")):
        status, headers, content = fetch(gateway.admin + "/api/playground", {"body": body})
        assert (status, headers["x-playground-status"]) == (200, "200") and content.endswith(end)


def test_pieces_come_as_they_are_made(services):
    simulator = services.simulator("--inter-token-latency-milliseconds", "1")
    gateway = services.gateway_over([simulator]).await_models()
    address = urllib.parse.urlsplit(gateway.admin)
    body = json.dumps({"body": chat(stream=True, max_tokens=4_000)}).encode()
    with socket.create_connection((address.hostname, address.port), timeout=20) as client:
        client.sendall(
            b"POST /api/playground HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            + f"content-length: {len(body)}\r\n\r\n".encode() + body
        )
        data = b""
        while data.count(b"data: ") < 3:
            data += client.recv(4096)
        assert b"[DONE]" not in data
        eventually(lambda: sum(e["in_flight"] for e in gateway.endpoints().values()) == 1, "the running request")
    eventually(
        lambda: sum(e["in_flight"] for e in gateway.endpoints().values()) == 0, "the end of what nobody reads any more"
    )


def test_the_playground_is_for_its_own_page_only(gateway):
    wish = {"body": chat()}
    for headers in (
        {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"host": "evil.example"},
    ):
        status, _, content = fetch(gateway.admin + "/api/playground", wish, headers=headers)
        assert status == 403, (headers, content)
    own = {"origin": gateway.admin, "sec-fetch-site": "same-origin"}
    assert fetch(gateway.admin + "/api/playground", wish, headers=own)[0] == 200
    status, _, _ = fetch(gateway.admin + "/api/playground", headers={"content-type": "text/plain"}, method="POST")
    assert status == 415


# Acting.


def test_only_the_token_acts(gateway, services):
    assert drain(gateway, "endpoint-0", token="another-token-of-the-tests")[0] == 401
    assert post(gateway, "/api/endpoints/drain", {})[0] == 401
    assert drain(gateway, "no-such-endpoint")[0] == 404
    assert not any(endpoint["draining"] for endpoint in gateway.endpoints().values())
    without = services.gateway_over(services.simulators(1))
    status, text = drain(without, "endpoint-0")
    assert status == 403 and "$MARTLET_ADMIN_TOKEN" in text


def test_a_draining_endpoint_gets_nothing_new(services, tmp_path):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    slow = services.simulator("--inter-token-latency-milliseconds", "20")
    quick = services.simulator()
    gateway = services.gateway_over([slow, quick], "--admin-token-file", token).await_models()
    with LiveReader(gateway.admin) as reader:
        reader.next()
        assert drain(gateway, "endpoint-1") == (200, '{"draining":true}')
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as client:
            body = json.dumps(chat(stream=True, max_tokens=200)).encode()
            client.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
                + f"content-length: {len(body)}\r\n\r\n".encode() + body
            )
            assert b"200 OK" in client.recv(4096)
            assert drain(gateway, "endpoint-0")[0] == 200
            assert drain(gateway, "endpoint-1", False)[0] == 200
            reader.until(lambda r: r.named("endpoint-0")["state"] == DRAINING, "the drain")
            assert reader.named("endpoint-1")["state"] == AVAILABLE
            for _ in range(10):
                reply = ask(gateway.port, chat())
                assert reply.headers["x-gateway-destination-endpoint-served"] == quick.address
            rest = b""
            while b"[DONE]" not in rest:
                piece = client.recv(65536)
                assert piece, "the running request was cut off"
                rest += piece
        assert drain(gateway, "endpoint-1")[0] == 200
        refused = ask(gateway.port, chat())
        assert refused.status == 503 and refused.error()["code"] == "endpoints_down"
        assert "default/endpoint-0: it drains" in refused.error()["message"]
        assert all(endpoint["draining"] for endpoint in gateway.endpoints().values())
        assert drain(gateway, "endpoint-0", False)[0] == 200
        reply = ask(gateway.port, chat())
        assert reply.headers["x-gateway-destination-endpoint-served"] == slow.address


@pytest.mark.parametrize("mode", ["serve", "epp"])
def test_a_weight_is_changed_in_its_file(services, tmp_path, mode):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    simulators = services.simulators(2)
    folder = tmp_path / "configuration"
    folder.mkdir()
    write(folder / "pool.yaml", pool("sims", "sim"), endpoints(simulators, "sim"))
    rewrite = model_rewrite("canary", "sims", (["m"], {"sim-model": 1}))
    text = (
        "# what goes where\napiVersion: " + rewrite["apiVersion"] + "\nkind: InferenceModelRewrite\n"
        "metadata: {name: canary}\nspec:\n  poolRef: {name: sims}\n  rules:\n  - matches: [{model: {value: m}}]\n"
        "    targets:\n    - {modelRewrite: sim-model, weight: 90}  # old\n"
        "    - {modelRewrite: other, weight: 10}  # new\n"
    )
    (folder / "rewrite.yaml").write_text(text)
    arguments = ("--config", folder, "--admin-token-file", token)
    process = services.gateway(*arguments) if mode == "serve" else services.endpoint_picker_of(folder, *arguments[2:])
    weights = lambda: {t["model"]: t["weight"] for t in process.state()["pools"][0]["rewrites"][0]["targets"]}
    assert weights() == {"sim-model": 90, "other": 10}
    change = lambda **wish: post(
        process, "/api/rewrites/weight", {"rewrite": "canary", "namespace": "default", **wish},
        authorization=f"Bearer {TOKEN}",
    )
    with LiveReader(process.admin) as reader:
        reader.next()
        assert reader.hello["mode"] == mode and reader.hello["playground"] == (mode == "serve")
        assert change(target="other", weight=35)[0] == 200
        assert (folder / "rewrite.yaml").read_text() == text.replace("weight: 10}", "weight: 35}")
        eventually(lambda: weights() == {"sim-model": 90, "other": 35}, "the reload")
        targets = lambda r: {t["model"]: t["weight"] for t in r.hello["pools"][0]["rewrites"][0]["targets"]}
        reader.until(lambda r: targets(r) == {"sim-model": 90, "other": 35}, "a hello with the new weight")
    assert change(target="nobody", weight=1)[0] == 404
    assert change(target="other", weight=0)[0] == 409
    status, _ = post(process, "/api/rewrites/weight", {"rewrite": "canary", "target": "other", "weight": 1})
    assert status == 401
    assert (folder / "rewrite.yaml").read_text() == text.replace("weight: 10}", "weight: 35}")


def test_the_feed_of_a_body_based_router(services):
    router = services.body_based_router()
    with LiveReader(router.admin) as reader:
        assert reader.next() == "hello"
        assert reader.hello["mode"] == "bbr" and reader.hello["pools"] == []
        assert reader.next() == "tick"
        assert reader.tick["totals"] == {"requests": 0, "errors": 0}
