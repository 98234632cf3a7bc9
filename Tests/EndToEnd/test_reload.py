"""Configuration edited while requests run."""

import json

import pytest
from configurations import backend, endpoints, plain_gateway, pool, route, rule, write
from harness import chat, eventually, free_port
from load import ClosedLoop


class Setup:
    """A gateway over a file with one pool, which can be written anew."""

    def __init__(self, services, tmp_path):
        self.simulators = services.simulators(3)
        self.port, self.file = free_port(), tmp_path / "gateway.yaml"
        self.write(self.simulators[:1])
        self.gateway = services.gateway("--config", self.file, "--served-header", listen=False, port=self.port)

    def write(self, simulators):
        write(self.file, *self.documents(simulators))

    def documents(self, simulators):
        return (
            plain_gateway(self.port),
            route("all", rule([backend("sims")])),
            pool("sims", "sim"),
            endpoints(simulators, "sim"),
        )

    def await_addresses(self, simulators):
        expected = {simulator.address for simulator in simulators}
        eventually(lambda: set(self.gateway.endpoints()) == expected, f"the endpoints {expected}")


@pytest.fixture
def setup(services, tmp_path):
    return Setup(services, tmp_path)


def body(number):
    return chat(text=f"{number} " * 50, stream=number % 2 == 0)


def test_edits_under_load_lose_nothing(setup):
    with ClosedLoop(setup.port, 12, body) as load:
        load.await_outcomes(20)
        for chosen in (setup.simulators, setup.simulators[1:], setup.simulators[:2], setup.simulators[2:]):
            setup.write(chosen)
            setup.await_addresses(chosen)
            mark = len(load.outcomes)
            addresses = {simulator.address for simulator in chosen}
            eventually(
                lambda: addresses <= {outcome.served_by for outcome in list(load.outcomes)[mark:]},
                f"traffic on {addresses}",
            )
    load.assert_no_failures()


def test_a_running_stream_outlives_its_endpoint_entry(services, tmp_path):
    slow = services.simulator("--inter-token-latency-milliseconds", "50")
    other = services.simulator()
    port, file = free_port(), tmp_path / "gateway.yaml"

    def documents(simulators):
        everything = route("all", rule([backend("sims")]))
        return plain_gateway(port), everything, pool("sims", "sim"), endpoints(simulators, "sim")

    write(file, *documents([slow]))
    gateway = services.gateway("--config", file, "--served-header", listen=False, port=port)
    with ClosedLoop(port, 1, lambda number: chat(stream=True, max_tokens=40 if number == 1 else 1)) as load:
        eventually(lambda: slow.state()["running"] == 1, "a running stream")
        write(file, *documents([other]))
        eventually(lambda: slow.address not in gateway.endpoints(), "the end of the entry")
        load.await_outcomes(3)
    assert load.outcomes[0].served_by == slow.address
    load.assert_no_failures()
    assert {outcome.served_by for outcome in load.outcomes[1:]} == {other.address}


def test_an_edit_in_place_is_noticed_too(setup):
    with open(setup.file, "w") as file:
        file.write("---\n".join(json.dumps(document) + "\n" for document in setup.documents(setup.simulators)))
    setup.await_addresses(setup.simulators)


@pytest.mark.parametrize(
    "bad", ["kind: [", "apiVersion: v1\nkind: Gatewy\nmetadata: {name: x}\n", ""], ids=["YAML", "kind", "empty"]
)
def test_a_bad_edit_is_reported_and_the_last_good_state_stays(setup, bad):
    with ClosedLoop(setup.port, 4, body) as load:
        load.await_outcomes(8)
        setup.file.write_text(bad)
        eventually(lambda: setup.gateway.metric("martlet_config_last_reload_successful") == 0, "the failure's metric")
        eventually(lambda: setup.file.name in setup.gateway.log(), "the file's name in the log")
        load.await_outcomes(8)
        assert set(setup.gateway.endpoints()) == {setup.simulators[0].address}
        setup.write(setup.simulators[:2])
        setup.await_addresses(setup.simulators[:2])
        assert setup.gateway.metric("martlet_config_last_reload_successful") == 1
    load.assert_no_failures()


def test_a_folder_is_read_in_whole_and_watched(services, tmp_path):
    simulators = services.simulators(2)
    port, folder = free_port(), tmp_path / "conf.d"
    folder.mkdir()
    write(folder / "10-gateway.yaml", plain_gateway(port), route("all", rule([backend("sims")])))
    write(folder / "20-pool.yaml", pool("sims", "sim"))
    write(folder / "30-first.json", endpoints(simulators[:1], "sim"))
    gateway = services.gateway("--config", folder, listen=False, port=port)
    assert set(gateway.endpoints()) == {simulators[0].address}
    second = endpoints(simulators[1:], "sim")
    second["endpoints"][0]["name"] = "second"
    write(folder / "40-second.yaml", second)
    eventually(lambda: len(gateway.endpoints()) == 2, "the endpoint of the new file")
    (folder / "30-first.json").unlink()
    eventually(lambda: set(gateway.endpoints()) == {simulators[1].address}, "the end of the removed file")
