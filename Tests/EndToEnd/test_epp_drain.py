"""SIGTERM to a picker under load: through Envoy not one request fails."""

import signal
import threading
import time

import pytest
from envoy_process import Bootstrap
from extproc_client import Stream, ask, open_channel, respond
from harness import accepts, chat, eventually
from load import ClosedLoop

BODY = {"model": "m", "prompt": "Hello"}


@pytest.fixture
def simulators(services):
    return [
        services.simulator("--inter-token-latency-milliseconds", "10", host=f"127.1.20.{number}") for number in (1, 2)
    ]


def test_two_pickers_of_which_one_is_replaced(services, simulators):
    """A rolling restart: Envoy's health check takes the picker out while it drains, and its streams end there."""
    pickers = [
        services.endpoint_picker(simulators, "--health-checking", "--drain-timeout", "6s") for _ in range(2)
    ]
    bootstrap = Bootstrap("fail-open.yaml")
    # FailClose, so that a request without its picker is seen.
    bootstrap.filter("envoy.filters.http.ext_proc")["failure_mode_allow"] = False
    bootstrap.set_server("epp", pickers[0])
    bootstrap.set_endpoints("epp", [picker.address for picker in pickers])
    bootstrap.set_endpoints("pool", [simulator.address for simulator in simulators])
    envoy = services.envoy(bootstrap)
    envoy.await_healthy_hosts("epp", 2)
    with ClosedLoop(envoy.port, 16, lambda number: chat(text=f"{number}", max_tokens=20, stream=True)) as load:
        load.await_outcomes(40)
        assert all(picker.metric("llm_d_epp_request_total") for picker in pickers), "Envoy asks both"
        pickers[0].process.send_signal(signal.SIGTERM)
        envoy.await_healthy_hosts("epp", 1)
        load.await_outcomes(60)
        assert pickers[0].process.wait(timeout=20) == 0
        load.await_outcomes(40)
    load.assert_no_failures()


def test_a_draining_picker_takes_new_streams_on_old_and_new_connections(services):
    """A proxy that has not noticed yet, or that has no other picker, loses nothing while the drain lasts."""
    picker = services.endpoint_picker([services.model_server("127.1.21.1")], "--drain-timeout", "5s")
    with open_channel(picker.address) as channel:
        running = Stream(channel)
        assert ask(running, BODY, path="/v1/completions").endpoint
        picker.process.send_signal(signal.SIGTERM)
        eventually(lambda: "drain" in picker.log().lower(), "the drain in the log")
        with open_channel(picker.address) as another:
            for connection in channel, another:
                stream = Stream(connection)
                assert ask(stream, BODY, path="/v1/completions").endpoint
                assert respond(stream, b"{}").body == b"{}"
                stream.close()
        assert respond(running, b"{}").body == b"{}"
        running.close()
    assert picker.process.wait(timeout=15) == 0


def test_streams_that_outlast_the_drain_end_well(services):
    """After the drain time no new streams are taken, and those that run are let end."""
    picker = services.endpoint_picker([services.model_server("127.1.22.1")], "--drain-timeout", "1s")
    with open_channel(picker.address) as channel:
        running = Stream(channel)
        assert ask(running, BODY, path="/v1/completions").endpoint
        picker.process.send_signal(signal.SIGTERM)
        eventually(lambda: not accepts(picker.port), "a closed listener")
        assert picker.process.poll() is None, "the picker left its stream behind"
        assert respond(running, b"{}").body == b"{}"
        running.close()
    assert picker.process.wait(timeout=15) == 0


def test_without_a_drain_an_idle_picker_stops_at_once(services):
    picker = services.endpoint_picker([services.model_server("127.1.23.1")], "--drain-timeout", "0s")
    with open_channel(picker.address) as channel:
        stream = Stream(channel)
        assert ask(stream, BODY, path="/v1/completions").endpoint
        respond(stream, b"{}")
        stream.close()
        started = time.monotonic()
        assert picker.terminate(within=10) == 0
        assert time.monotonic() - started < 4, "an idle connection held the end up"


def test_a_restart_behind_one_envoy(services, simulators):
    """One picker, FailOpen with a health check: from before the signal until after the restart everything is served."""
    picker = services.endpoint_picker(simulators, "--health-checking", "--drain-timeout", "4s")
    envoy = services.envoy_over(picker, simulators, "fail-open.yaml")
    envoy.await_healthy_hosts("epp", 1)
    with ClosedLoop(envoy.port, 8, lambda number: chat(text=f"{number}", max_tokens=10)) as load:
        load.await_outcomes(20)
        ended = threading.Thread(target=picker.terminate, daemon=True)
        ended.start()
        envoy.await_healthy_hosts("epp", 0)
        ended.join(timeout=20)
        load.await_outcomes(20)
        again = services.endpoint_picker(simulators, "--health-checking", grpc_port=picker.port)
        envoy.await_healthy_hosts("epp", 1)
        load.await_outcomes(20)
        eventually(lambda: again.metric("llm_d_epp_request_total"), "requests at the new picker")
    load.assert_no_failures()
