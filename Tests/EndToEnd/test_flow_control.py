"""Flow control: requests wait for their turn, behind `martlet serve` and behind Envoy with `martlet epp`."""

import json
import select
import signal
import time

import h2.config
import h2.connection
import hpack
import hyperframe.frame
import pytest
from configurations import backend, endpoints, plain_gateway, pool, route, rule, write
from envoy_process import Bootstrap
from harness import chat, eventually, fetch, free_port
from load import ClosedLoop
from raw_http import RawConnection, request_bytes

REASON = "x-llm-d-request-dropped-reason"


def picker_resource(**flow_control):
    """An EndpointPickerConfig that lets every endpoint have one request."""
    return {
        "apiVersion": "llm-d.ai/v1alpha1",
        "kind": "EndpointPickerConfig",
        "metadata": {"name": "pool"},
        "featureGates": ["flowControl"],
        "plugins": [
            {"type": "queue-scorer"},
            {"type": "concurrency-detector", "name": "one-each", "parameters": {"maxConcurrency": 1}},
        ],
        "schedulingProfiles": [{"name": "default", "plugins": [{"pluginRef": "queue-scorer"}]}],
        "flowControl": {"saturationDetector": {"pluginRef": "one-each"}, **flow_control},
    }


def objective(name, priority):
    return {
        "apiVersion": "llm-d.ai/v1alpha2",
        "kind": "InferenceObjective",
        "metadata": {"name": name},
        "spec": {"poolRef": {"name": "pool"}, "priority": priority},
    }


class Setup:
    """A gateway of either kind over simulators; `port` is where clients connect, `gateway` the process that decides."""

    def __init__(self, services, folder, door, simulators, drain=30, scrapes="50ms", **flow_control):
        self.door, self.simulators, self.file = door, simulators, folder / "resources.yaml"
        self.port = free_port() if door == "serve" else None
        self.write(**flow_control)
        if door == "serve":
            self.gateway = services.gateway(
                "--config", self.file, "--drain-timeout-seconds", drain,
                "--refresh-metrics-interval-milliseconds", scrapes.removesuffix("ms"), listen=False, port=self.port,
            )
        else:
            self.gateway = services.endpoint_picker_of(
                self.file, "--drain-timeout", f"{drain}s", "--refresh-metrics-interval", scrapes
            )
            bootstrap = Bootstrap("one-pool.yaml")
            bootstrap.set_server("epp", self.gateway)
            bootstrap.set_endpoints("pool", [simulator.address for simulator in simulators])
            self.port = services.envoy(bootstrap).port

    def write(self, **flow_control):
        documents = [
            pool("pool", "sim"), endpoints(self.simulators, "sim"), objective("gold", 10), objective("batch", -1),
            picker_resource(**flow_control),
        ]
        if self.door == "serve":
            documents += [plain_gateway(self.port), route("all", rule([backend("pool")]))]
        write(self.file, *documents)

    def counted(self, outcome):
        return self.gateway.metric("llm_d_epp_flow_control_requests_total", outcome=outcome) or 0

    def await_waiting(self, count):
        eventually(
            lambda: (self.gateway.metric("llm_d_epp_flow_control_queue_size") or 0) == count,
            f"{count} requests that wait",
        )

    def send(self, tokens, objective=None):
        """A connection with a request under way whose answer has so many tokens."""
        connection = RawConnection(self.port, timeout=30)
        headers = [("x-llm-d-inference-objective", objective)] if objective else []
        connection.send(request_bytes(chat(max_tokens=tokens, ignore_eos=True), headers=headers))
        return connection

    def occupy(self, tokens=40):
        """A request that has the only endpoint."""
        connection = self.send(tokens)
        eventually(lambda: self.simulators[0].state()["running"] == 1, "a running request")
        return connection


def send_http2(connection, body):
    """Sends a request over HTTP/2."""
    codec = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    codec.initiate_connection()
    fields = {":method": "POST", ":path": "/v1/chat/completions", ":scheme": "http", ":authority": "gateway.test"}
    codec.send_headers(1, list(fields.items()))
    codec.send_data(1, json.dumps(body).encode(), end_stream=True)
    connection.send(codec.data_to_send())


def read_http2(connection):
    """The header fields and the JSON body of the answer, frame by frame: libraries drop all behind a GOAWAY."""
    stream = connection.socket.makefile("rb")
    headers, body = {}, b""
    while True:
        frame, length = hyperframe.frame.Frame.parse_frame_header(memoryview(stream.read(9)))
        frame.parse_body(memoryview(stream.read(length)))
        if isinstance(frame, hyperframe.frame.HeadersFrame):
            headers = {str(name): str(value) for name, value in hpack.Decoder().decode(frame.data)}
        elif isinstance(frame, hyperframe.frame.DataFrame):
            body += frame.data
        if frame.stream_id == 1 and "END_STREAM" in frame.flags:
            return headers, json.loads(body)


@pytest.fixture(params=["serve", "envoy"])
def setup(request, services, tmp_path):
    def make(simulators=1, latency=20, **options):
        started = services.simulators(simulators, "--inter-token-latency-milliseconds", latency)
        return Setup(services, tmp_path, request.param, started, **options)

    return make


def test_what_comes_beyond_the_room_waits_and_is_answered(setup):
    world = setup(simulators=2, latency=1)
    most = 0
    with ClosedLoop(world.port, 12, lambda number: chat(text=f"{number}", stream=number % 2 == 0)) as load:
        while len(load.outcomes) < 60:
            most = max(most, *(endpoint["in_flight"] for endpoint in world.gateway.endpoints().values()))
    load.assert_no_failures()
    # Two event loops that choose at the same instant may choose the same endpoint.
    assert 1 <= most <= 2
    assert world.counted("Dispatched") == len(load.outcomes)
    assert world.gateway.metric("llm_d_epp_flow_control_request_queue_duration_seconds_sum") > 0
    assert world.gateway.metric("llm_d_epp_flow_control_queue_size") == 0


def test_a_higher_objective_overtakes(setup):
    world = setup()
    with world.occupy() as first:
        plain = world.send(40)
        world.await_waiting(1)
        batch = world.send(1, "batch")
        world.await_waiting(2)
        gold = world.send(1, "gold")
        world.await_waiting(3)
        assert [first.read_reply().status, gold.read_reply().status] == [200, 200]
        assert select.select([plain.socket, batch.socket], [], [], 0)[0] == []
        assert plain.read_reply().status == 200
        assert batch.read_reply().status == 200


def test_a_full_queue_says_so_at_once(setup):
    world = setup(maxRequests=1)
    with world.occupy() as first, world.send(1) as second:
        world.await_waiting(1)
        with world.send(1) as third:
            refused = third.read_reply()
        assert refused.status == 429
        assert refused.headers[REASON] == "rejected-saturated"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.error()["message"].startswith("request rejected pre-queue: queue at capacity")
        assert [first.read_reply().status, second.read_reply().status] == [200, 200]
    assert world.counted("RejectedCapacity") == 1


def test_a_client_that_leaves_is_not_served(setup):
    world = setup()
    with world.occupy() as first:
        with world.send(1):
            world.await_waiting(1)
        world.await_waiting(0)
        assert first.read_reply().status == 200
    assert world.counted("EvictedContextCancelled") == 1
    assert world.counted("Dispatched") == 1


def test_a_reload_loses_none_that_wait(setup):
    """Without metrics that come in between: it is the end of each request that lets the next one go."""
    world = setup(maxRequests=100, scrapes="60000ms")
    with world.occupy() as first:
        waiting = [world.send(1) for _ in range(5)]
        world.await_waiting(5)
        world.write(maxRequests=101, defaultRequestTTL="59s")
        eventually(lambda: "59s" in world.gateway.state()["pools"][0]["endpoint_picker"], "the new configuration")
        late = [world.send(1) for _ in range(2)]
        assert [connection.read_reply().status for connection in (first, *waiting, *late)] == [200] * 8


def test_a_drain_serves_those_that_wait(setup):
    world = setup(drain=4)
    with world.occupy(20) as first:
        waiting = [world.send(1) for _ in range(3)]
        world.await_waiting(3)
        world.gateway.process.send_signal(signal.SIGTERM)
        assert [connection.read_reply().status for connection in (first, *waiting)] == [200] * 4
    assert world.gateway.process.wait(timeout=20) == 0


def test_the_end_of_a_drain_is_told_to_those_that_wait(services, tmp_path):
    """Over HTTP/1.1 and HTTP/2."""
    simulator = services.simulator("--inter-token-latency-milliseconds", "200")
    world = Setup(services, tmp_path, "serve", [simulator], drain=1)
    with world.occupy(200), world.send(1) as waiting, RawConnection(world.port) as stream:
        world.await_waiting(1)
        send_http2(stream, chat(max_tokens=1))
        world.await_waiting(2)
        started = time.monotonic()
        world.gateway.process.send_signal(signal.SIGTERM)
        refused = waiting.read_reply()
        assert time.monotonic() - started >= 0.9
        headers, body = read_http2(stream)
        told = [(refused.status, refused.headers, refused.error()), (int(headers[":status"]), headers, body["error"])]
        for status, headers, error in told:
            assert status == 503
            assert headers[REASON] == "rejected-shutting-down"
            assert error["message"].startswith("flow controller shutting down: ")
    assert world.gateway.process.wait(timeout=10) == 0


def test_a_pool_is_scaled_from_zero(services, tmp_path):
    simulator = services.simulator()
    world = Setup(services, tmp_path, "serve", [], noEndpointRequestTTL="20s")
    waiting = [world.send(1) for _ in range(3)]
    world.await_waiting(3)
    assert fetch(world.gateway.admin + "/readyz")[0] == 200
    world.simulators = [simulator]
    world.write(noEndpointRequestTTL="20s")
    assert [connection.read_reply().status for connection in waiting] == [200] * 3
