"""A thousand idle connections and five hundred streams at once: no error, and memory stays flat."""

import statistics
import time

import pytest
from harness import chat, eventually
from load import ClosedLoop
from raw_http import RawConnection, request_bytes

IDLE_CONNECTIONS = 1_000
STREAMS = 500


@pytest.mark.timeout(180)
def test_soak(services, soak_seconds):
    # Each simulator must be able to run all streams that may come its way, and slowly: the machine's work should be
    # connections held, not tokens made.
    simulators = services.simulators(
        3, "--max-running-sequences", "512", "--kv-blocks", "20000", "--inter-token-latency-milliseconds", "250",
        "--inter-token-latency-per-sequence-microseconds", "0",
    )
    gateway = services.gateway_over(simulators)
    idle = [RawConnection(gateway.port) for _ in range(IDLE_CONNECTIONS)]
    for connection in idle:
        assert connection.exchange(request_bytes(None, "/v1/models", "GET"), "GET").status == 200
    with ClosedLoop(gateway.port, STREAMS, lambda n: chat(text=f"{n % 40} " * 50, max_tokens=10, stream=True)) as load:
        eventually(lambda: len(load.running) == STREAMS and len(load.outcomes) >= STREAMS, "a first round", within=60)
        samples = resident_samples(gateway, soak_seconds)
        at_once = sum(simulator.state()["running"] + simulator.state()["waiting"] for simulator in simulators)
    load.assert_no_failures()
    assert at_once >= STREAMS * 0.8, f"only {at_once} streams ran at once"
    third = len(samples) // 3
    early, late = statistics.median(samples[:third]), statistics.median(samples[-third:])
    assert late < early * 1.10, f"resident memory grew from {early / 2**20:.1f} to {late / 2**20:.1f} MiB"
    # The idle ones are still there, and still serve.
    for connection in idle:
        assert connection.exchange(request_bytes(None, "/v1/models", "GET"), "GET").status == 200
        connection.socket.close()
    eventually(lambda: gateway.metric("martlet_proxy_connections_open", side="downstream") == 0, "no open connection")
    assert sum(endpoint["in_flight"] for endpoint in gateway.endpoints().values()) == 0
    assert not gateway.metric("martlet_lease_leaks_total")


def resident_samples(gateway, seconds):
    """Resident memory of the gateway, sampled a hundred times over a while."""
    samples, started = [], time.monotonic()
    for number in range(100):
        eventually(lambda: time.monotonic() >= started + seconds * number / 100, "the next sample", within=seconds)
        samples.append(gateway.resident_bytes())
    return samples
