"""Endpoints with several ports: each port is a data-parallel rank, an endpoint of its own."""

import json

import pytest
from configurations import endpoints, picker_config, pool, write
from extproc_client import Stream, ask, open_channel, respond
from harness import chat, eventually, fetch

RANK = "x-data-parallel-host-port"
SERVED = "x-gateway-destination-endpoint-served"
ACTIVE = "llm-d.ai/active-ports"


def entry(name, address, ports=(), **more):
    """An entry of an endpoint list; without ports those of its pool."""
    written = {"ports": [str(port) for port in ports]} if ports else {}
    return {"name": name, "address": address, "labels": {"app": "llm"}} | written | more


def entries(*written):
    return {"kind": "Endpoints", "endpoints": list(written)}


def pool_of(*ports):
    """An InferencePool with these target ports."""
    resource = pool("pool", "llm")
    resource["spec"]["targetPorts"] = [{"number": port} for port in ports]
    return resource


def names(service):
    """The names of all endpoints, by address."""
    return {address: endpoint["name"] for address, endpoint in service.endpoints().items()}


@pytest.fixture
def ranks(services):
    """Two servers on two ports of one address."""
    return [services.model_server("127.1.21.1") for _ in range(2)]


def test_each_port_serves_and_follows_the_active_ports(services, ranks, tmp_path):
    host, ports = ranks[0].host, [rank.port for rank in ranks]
    path = tmp_path / "gateway.yaml"
    write(path, pool_of(8000), entries(entry("host", host, ports)))
    gateway = services.gateway("--config", path, "--served-header")
    first, second = (rank.address for rank in ranks)
    assert names(gateway) == {first: "host-rank-0", second: "host-rank-1"}

    def serves(*addresses):
        served = {fetch(gateway.url + "/v1/chat/completions", chat(text=str(n)))[1][SERVED] for n in range(30)}
        return served == set(addresses)

    assert serves(first, second)
    eventually(lambda: all(e["metrics_age_seconds"] is not None for e in gateway.endpoints().values()), "both pages")
    write(path, pool_of(8000), entries(entry("host", host, ports, annotations={ACTIVE: str(ports[1])})))
    eventually(lambda: names(gateway) == {second: "host-rank-1"}, "the active rank")
    assert serves(second)
    write(path, pool_of(8000), entries(entry("host", host, ports, annotations={ACTIVE: ""})))
    eventually(lambda: names(gateway) == {}, "no active rank")
    eventually(lambda: "no port is active" in gateway.log(), "the warning")
    assert fetch(gateway.url + "/v1/chat/completions", chat())[0] == 503
    write(path, pool_of(8000), entries(entry("host", host, ports)))
    eventually(lambda: len(names(gateway)) == 2, "both ranks")
    assert serves(first, second)


def test_the_ports_of_the_pool_are_the_ranks_of_entries_without(services, ranks, tmp_path):
    path = write(tmp_path / "gateway.yaml", pool_of(*(rank.port for rank in ranks)), entries(entry("a", ranks[0].host)))
    gateway = services.gateway("--config", path)
    assert names(gateway) == {ranks[0].address: "a-rank-0", ranks[1].address: "a-rank-1"}
    status, _, content = fetch(gateway.url + "/v1/chat/completions", chat())
    assert status == 200 and json.loads(content)["endpoint"] in [rank.address for rank in ranks]


def test_a_picked_rank_is_told_to_the_primary_port(services, ranks):
    """With the handler of ranks the request goes to the primary port, without it to the rank itself."""
    host, ports = ranks[0].host, [rank.port for rank in ranks]
    addresses = {rank.address for rank in ranks}
    for plugins in ([("data-parallel-profile-handler", {"primaryPort": 8200})], []):
        picker = services.endpoint_picker(ranks[:1], plugins=plugins)
        write(picker.endpoint_file, {"endpoints": [entry("host", host, ports)]})
        expected = {ranks[0].address: "host-rank-0", ranks[1].address: "host-rank-1"}
        eventually(lambda: names(picker) == expected, "the ranks of the file")
        with open_channel(picker.address) as channel:
            answer = ask(stream := Stream(channel), chat())
            if plugins:
                assert answer.endpoint == f"{host}:8200" and answer.set[RANK] in addresses
            else:
                assert answer.endpoint in addresses and RANK not in answer.set
            respond(stream, b"{}")
            stream.close()


@pytest.mark.parametrize("host, bound", [("::1", "::1"), ("localhost", "127.0.0.1")])
def test_ranks_have_any_kind_of_address(services, tmp_path, host, bound):
    ranks = [services.model_server(bound) for _ in range(2)]
    path = write(tmp_path / "gateway.yaml", pool_of(8000), entries(entry("host", host, [r.port for r in ranks])))
    gateway = services.gateway("--config", path)
    shown = f"[{host}]" if ":" in host else host
    assert names(gateway) == {f"{shown}:{rank.port}": f"host-rank-{n}" for n, rank in enumerate(ranks)}
    eventually(lambda: all(e["metrics_age_seconds"] is not None for e in gateway.endpoints().values()), "both pages")
    for number in range(20):
        assert fetch(gateway.url + "/v1/chat/completions", chat(text=str(number)))[0] == 200
    assert all(rank.requests > 0 for rank in ranks)


def test_idle_endpoints_are_looked_at_seldom(services, tmp_path):
    """And their metrics are never older than the idle interval and an answer."""
    simulators = services.simulators(2)
    plugins = [("metrics-data-source", {"idleInterval": "1s"})]
    config = picker_config("unused", plugins)
    del config["dataLayer"], config["plugins"][0]
    path = write(tmp_path / "gateway.yaml", pool("llm", "llm"), endpoints(simulators, "llm"), config)
    gateway = services.gateway("--config", path)
    gateway.await_models()

    def looks():
        return gateway.metric("martlet_scrapes_total", result="success")

    ages = []
    before = looks()

    def looked_twice():
        ages.append(max(endpoint["metrics_age_seconds"] for endpoint in gateway.endpoints().values()))
        return looks() >= before + 4

    eventually(looked_twice, "two looks at each endpoint")
    assert 0.5 < max(ages) < 2
