"""grpc.health.v1 as the protocol of endpoint pickers names its services."""

import signal

import grpc
import pytest
from extproc_client import Stream, TLSTunnel, ask, open_channel
from grpc_health.v1 import health_pb2, health_pb2_grpc
from harness import eventually, fetch

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
EXT_PROC = "envoy.service.ext_proc.v3.ExternalProcessor"
NAMES = ["", "liveness", "readiness", EXT_PROC, "inference-extension"]


def check(channel, name):
    request = health_pb2.HealthCheckRequest(service=name)
    return health_pb2_grpc.HealthStub(channel).Check(request, timeout=10).status


def watch(channel, name):
    return health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=name), timeout=30)


@pytest.fixture(scope="module")
def picker(shared):
    return shared.endpoint_picker([shared.model_server("127.1.16.1")], "--health-checking")


@pytest.fixture(scope="module", params=["health", "ext_proc"])
def channel(request, picker):
    port = picker.health_port if request.param == "health" else picker.port
    with open_channel(f"127.0.0.1:{port}") as channel:
        yield channel


@pytest.mark.parametrize("name", NAMES)
def test_check(channel, name):
    assert check(channel, name) == SERVING


def test_list(channel):
    statuses = health_pb2_grpc.HealthStub(channel).List(health_pb2.HealthListRequest(), timeout=10).statuses
    assert {name: status.status for name, status in statuses.items()} == {EXT_PROC: SERVING}


def test_watch_tells_the_status_at_once(channel):
    for name in NAMES:
        watching = watch(channel, name)
        assert next(watching).status == SERVING
        watching.cancel()


def test_an_unknown_service(channel):
    """Answered like readiness, as by llm-d's picker: charts of several releases ask by different names."""
    assert check(channel, "no.such.Service") == SERVING
    watching = watch(channel, "no.such.Service")
    assert next(watching).status == SERVING
    watching.cancel()


def test_without_the_flag_the_ext_proc_port_has_no_health(services):
    picker = services.endpoint_picker([services.model_server("127.1.17.1")])
    with open_channel(picker.address) as channel, pytest.raises(grpc.RpcError) as error:
        check(channel, EXT_PROC)
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_health_over_tls_on_the_ext_proc_port(services):
    """TLS is that of the ext_proc port; the health port stays plaintext, for probes."""
    picker = services.endpoint_picker([services.model_server("127.1.18.1")], "--health-checking", secure=True)
    with TLSTunnel(picker.address) as tunnel, open_channel(tunnel.address) as channel:
        assert check(channel, EXT_PROC) == SERVING
    with open_channel(f"127.0.0.1:{picker.health_port}") as channel:
        assert check(channel, EXT_PROC) == SERVING


def test_a_drain_ends_readiness_and_not_liveness(services):
    """Watchers are told, new checks say so, and the process serves on for as long as the drain lasts."""
    picker = services.endpoint_picker(
        [services.model_server("127.1.19.1")], "--health-checking", "--drain-timeout", "20s"
    )
    with open_channel(f"127.0.0.1:{picker.health_port}") as health, open_channel(picker.address) as channel:
        watching = watch(health, EXT_PROC)
        assert next(watching).status == SERVING
        stream = Stream(channel)
        body = {"model": "m", "prompt": "x"}
        assert ask(stream, body, path="/v1/completions").endpoint
        picker.process.send_signal(signal.SIGTERM)
        assert next(watching).status == NOT_SERVING
        eventually(lambda: check(health, "readiness") == NOT_SERVING, "the end of readiness")
        assert [check(health, name) for name in ("", EXT_PROC, "inference-extension")] == [NOT_SERVING] * 3
        assert check(health, "liveness") == SERVING
        assert check(channel, EXT_PROC) == NOT_SERVING
        assert fetch(picker.admin + "/readyz")[0] == 503
        assert fetch(picker.admin + "/healthz")[0] == 200
        stream.cancel()
