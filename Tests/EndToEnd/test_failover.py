"""Endpoints that die, refuse, or answer badly: no request fails that had not started streaming."""

import time

import pytest
from harness import chat, eventually
from load import ClosedLoop
from raw_http import ask


def mixed(number):
    """Streams and plain requests in turn, long enough that some are always running."""
    return chat(text=f"Request {number}. " * 20, max_tokens=20, stream=number % 2 == 0)


def test_a_killed_endpoint_costs_no_request_that_had_not_started(services):
    simulators = services.simulators(3, "--inter-token-latency-milliseconds", "10")
    gateway = services.gateway_over(simulators)
    victim = simulators[0]
    with ClosedLoop(gateway.port, 24, mixed) as load:
        eventually(lambda: {o.served_by for o in load.outcomes} >= {s.address for s in simulators}, "traffic on all")
        victim.kill()
        load.await_outcomes(150)
        restarted = services.simulator("--inter-token-latency-milliseconds", "10", port=victim.port)
        up = time.monotonic()
        eventually(
            lambda: any(o.served_by == victim.address and o.started > up for o in list(load.outcomes)),
            "traffic on the restarted endpoint",
            within=6,
        )
        first = min(o.first_byte for o in list(load.outcomes) if o.served_by == victim.address and o.started > up)
        assert first - up <= 2.0, f"the first answer came {first - up:.2f} s after the banner"
        load.await_outcomes(50)
    lost = [outcome for outcome in load.failures() if outcome.status != 200]
    assert lost == [], f"{len(lost)} of {len(load.outcomes)} requests failed, the first: {lost[0]}"
    broken = load.failures()
    # What broke off had been streaming from the victim; the others never notice.
    assert all(outcome.served_by == victim.address for outcome in broken)
    assert all(outcome.body for outcome in broken), "a reply without a byte of body could have been retried"
    assert restarted.state()


def test_a_reply_that_breaks_off_is_seen_to_break_off(services):
    simulators = services.simulators(1)
    gateway = services.gateway_over(simulators)
    simulators[0].set_faults(truncate_after_events=3)
    with ClosedLoop(gateway.port, 1, lambda number: chat(stream=True, max_tokens=20)) as load:
        load.await_outcomes(3)
    assert load.failures() == load.outcomes
    assert all(outcome.status == 200 and outcome.error for outcome in load.outcomes)


def test_gateway_errors_are_retried_on_another_endpoint(services):
    simulators = services.simulators(3)
    gateway = services.gateway_over(simulators)
    for status in (502, 503, 504):
        simulators[0].set_faults(error_status=status, error_probability=1)
        with ClosedLoop(gateway.port, 6, mixed) as load:
            load.await_outcomes(30)
        load.assert_no_failures()
        assert {outcome.served_by for outcome in load.outcomes} <= {s.address for s in simulators[1:]}
    assert gateway.metric("martlet_proxy_upstream_retries_total") > 0


def test_an_internal_error_is_the_clients_to_see(services):
    simulators = services.simulators(2)
    gateway = services.gateway_over(simulators)
    for simulator in simulators:
        simulator.set_faults(error_status=500, error_probability=1)
    assert ask(gateway.port, chat()).status == 500
    assert not gateway.metric("martlet_proxy_upstream_retries_total")


def test_retries_can_be_turned_off(services):
    simulators = services.simulators(2)
    gateway = services.gateway_over(simulators, "--retry-attempts", "0")
    for simulator in simulators:
        simulator.set_faults(error_status=503, error_probability=1)
    assert ask(gateway.port, chat()).status == 503
    assert not gateway.metric("martlet_proxy_upstream_retries_total")


@pytest.mark.parametrize(("status", "retried"), [(502, True), (503, False)])
def test_only_the_chosen_failures_are_retried(services, status, retried):
    simulators = services.simulators(2)
    gateway = services.gateway_over(simulators, "--retry-on", "connect-failure,502")
    simulators[0].set_faults(error_status=status, error_probability=1)
    statuses = {ask(gateway.port, chat(text=f"{number} " * 100)).status for number in range(12)}
    assert statuses == ({200} if retried else {200, status})
    assert bool(gateway.metric("martlet_proxy_upstream_retries_total")) == retried


def test_an_endpoint_that_keeps_failing_is_ejected_and_comes_back(services):
    simulators = services.simulators(2)
    gateway = services.gateway_over(simulators)
    victim = simulators[0]
    victim.set_faults(error_status=503, error_probability=1)
    with ClosedLoop(gateway.port, 4, mixed) as load:
        eventually(lambda: gateway.endpoints()[victim.address]["ejected"], "the ejection")
        assert not gateway.endpoints()[simulators[1].address]["ejected"]
        victim.set_faults()
        eventually(lambda: not gateway.endpoints()[victim.address]["ejected"], "the way back", within=15)
        before = len(load.outcomes)
        eventually(
            lambda: any(o.served_by == victim.address for o in list(load.outcomes)[before:]),
            "traffic after the ejection",
        )
    load.assert_no_failures()
    assert gateway.metric("martlet_endpoint_ejections_total") >= 1


def test_bad_metrics_do_not_stop_an_endpoint(services):
    simulators = services.simulators(2)
    gateway = services.gateway_over(simulators)
    for fault in ("garbage", "cut", "error", "hang"):
        simulators[0].set_faults(metrics=fault)
        with ClosedLoop(gateway.port, 4, mixed) as load:
            load.await_outcomes(12)
        load.assert_no_failures()
    stale = gateway.endpoints()[simulators[0].address]
    assert stale["metrics_age_seconds"] > gateway.endpoints()[simulators[1].address]["metrics_age_seconds"]


def test_all_endpoints_down_is_503_with_a_reason(services):
    simulators = services.simulators(2)
    gateway = services.gateway_over(simulators)
    for simulator in simulators:
        simulator.kill()
    reply = ask(gateway.port, chat())
    assert reply.status == 503
    assert reply.headers["x-llm-d-request-dropped-reason"]
    assert "retry-after" in reply.headers
    reply.error()
    eventually(
        lambda: ask(gateway.port, chat()).headers["x-llm-d-request-dropped-reason"] == "rejected-endpoints-down",
        "the reason that says so",
    )
    services.simulator(port=simulators[0].port)
    eventually(lambda: ask(gateway.port, chat()).status == 200, "service after a restart", within=10)
