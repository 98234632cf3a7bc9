"""SIGTERM under load: what runs ends well, nothing new begins, and the exit code is 0."""

import signal
import time

from harness import accepts, chat, eventually, fetch
from load import ClosedLoop
from raw_http import RawConnection, request_bytes


def test_running_streams_finish_and_new_connections_are_refused(services):
    simulators = services.simulators(2, "--inter-token-latency-milliseconds", "25")
    gateway = services.gateway_over(simulators, "--drain-timeout-seconds", "30")
    load = ClosedLoop(gateway.port, 20, lambda number: chat(text=f"{number}", max_tokens=100, stream=True))
    with load:
        eventually(lambda: sum(s.state()["running"] for s in simulators) == 20, "twenty running streams")
        gateway.process.send_signal(signal.SIGTERM)
        eventually(lambda: not accepts(gateway.port), "a closed listener", within=5)
        refused = time.monotonic()
        assert gateway.process.poll() is None, "the gateway left its streams behind"
        load.stop()
    assert gateway.process.wait(timeout=15) == 0
    streams = [outcome for outcome in load.outcomes if outcome.started < refused and outcome.status is not None]
    assert len(streams) >= 20
    assert [str(outcome) for outcome in streams if not outcome.succeeded] == []
    assert max(outcome.ended for outcome in streams) > refused, "the drain had nothing to wait for"


def test_an_idle_gateway_stops_at_once(services):
    simulator = services.simulator()
    gateway = services.gateway_over([simulator])
    with RawConnection(gateway.port) as idle:
        assert idle.exchange(request_bytes(chat())).status == 200
        started = time.monotonic()
        assert gateway.terminate(within=10) == 0
        assert time.monotonic() - started < 5, "an idle keep-alive connection held the drain up"
        assert idle.is_closed_by_peer()


def test_the_drain_window_ends(services):
    simulator = services.simulator("--inter-token-latency-milliseconds", "500")
    gateway = services.gateway_over([simulator], "--drain-timeout-seconds", "1")
    with RawConnection(gateway.port) as connection:
        connection.send(request_bytes(chat(stream=True, max_tokens=200)))
        eventually(lambda: simulator.state()["running"] == 1, "a running stream")
        started = time.monotonic()
        assert gateway.terminate(within=10) == 0
        assert 0.9 <= time.monotonic() - started < 6
    eventually(lambda: simulator.state()["running"] == 0, "the cancelled stream")


def test_readiness_ends_with_the_drain_and_health_does_not(services):
    simulator = services.simulator("--inter-token-latency-milliseconds", "50")
    gateway = services.gateway_over([simulator])
    with RawConnection(gateway.port) as connection:
        connection.send(request_bytes(chat(stream=True, max_tokens=60)))
        eventually(lambda: simulator.state()["running"] == 1, "a running stream")
        gateway.process.send_signal(signal.SIGTERM)
        eventually(lambda: fetch(gateway.admin + "/readyz")[0] == 503, "the end of readiness")
        assert fetch(gateway.admin + "/healthz")[0] == 200
        assert connection.read_reply().body.endswith(b"data: [DONE]\n\n")
    assert gateway.process.wait(timeout=10) == 0


def test_sigint_drains_too(services):
    gateway = services.gateway_over([services.simulator()])
    gateway.process.send_signal(signal.SIGINT)
    assert gateway.process.wait(timeout=10) == 0


def test_a_simulator_stops_with_exit_code_0(services):
    assert services.simulator().terminate(within=10) == 0
