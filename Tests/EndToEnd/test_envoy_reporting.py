"""Envoy takes what request-attribute-reporter tells: it stands in the access log, also after a gRPC call."""

import json
from concurrent import futures

import grpc
import pytest
from envoy_process import Bootstrap
from grpc_messages import GENERATE, vllm
from harness import eventually
from raw_http import RawConnection, request_bytes

LINE = "%REQ(x-request-name)% %DYNAMIC_METADATA(envoy.lb:cost)%"
EXPRESSION = "usage.prompt_tokens + 1000 * usage.completion_tokens"
COST = ("request-attribute-reporter", {"attributes": [{"key": {"name": "cost"}, "expression": EXPRESSION}]})


def logging_envoy(services, picker, addresses, file="one-pool.yaml", change=lambda bootstrap: None):
    """Envoy that writes the cost of each request; the path of the log."""
    bootstrap = Bootstrap(file)
    bootstrap.set_server("epp", picker)
    bootstrap.set_endpoints("pool", addresses)
    log = services.folder / f"access-{len(services.started)}.log"
    bootstrap.log_access(log, LINE)
    change(bootstrap)
    return services.envoy(bootstrap), log


def cost_of(log, name):
    """What the log says of a request; `-` when nothing was told."""

    def found():
        lines = log.read_text().splitlines() if log.exists() else []
        return next((line.partition(" ")[2] for line in lines if line.startswith(name + " ")), None)

    return eventually(found, f"the request {name} in the access log")


@pytest.fixture(scope="module")
def simulator(shared):
    return shared.simulator("--seed", "7", host="127.1.43.1")


@pytest.fixture(scope="module")
def picker(shared, simulator):
    return shared.endpoint_picker([simulator], plugins=[COST, "queue-scorer"]).await_models()


@pytest.mark.parametrize("file", ["one-pool.yaml", "fail-open-buffered.yaml"])
@pytest.mark.parametrize("is_stream", [False, True], ids=["JSON", "a stream"])
def test_the_access_log_has_the_number(services, picker, simulator, file, is_stream):
    envoy, log = logging_envoy(services, picker, [simulator.address], file)
    body = {"model": "sim-model", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    if is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    with RawConnection(envoy.port) as connection:
        headers = [("x-request-name", "first"), ("content-type", "application/json")]
        reply = connection.exchange(request_bytes(json.dumps(body).encode(), headers=headers))
    assert reply.status == 200, reply.body
    events = reply.body.split(b"\n\n") if is_stream else [reply.body]
    (usage,) = (json.loads(event[event.index(b"{") :])["usage"] for event in events if b'"usage":{' in event)
    assert usage["completion_tokens"] == 4
    assert float(cost_of(log, "first")) == usage["prompt_tokens"] + 4000


class Engine(grpc.GenericRpcHandler):
    """vLLM's Generate, and nothing else of it."""

    def service(self, details):
        if details.method != GENERATE:
            return None
        return grpc.unary_stream_rpc_method_handler(
            self.generate, vllm["GenerateRequest"].FromString, vllm["GenerateResponse"].SerializeToString
        )

    def generate(self, request, context):
        count = len(request.tokenized.input_ids)
        for number in range(request.sampling_params.max_tokens):
            fields = {"token_ids": [number], "prompt_tokens": count, "completion_tokens": number + 1}
            yield vllm["GenerateResponse"](chunk=fields)


@pytest.fixture
def engine():
    """The address of a gRPC server."""
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Engine()])
    port = server.add_insecure_port("127.1.44.1:0")
    server.start()
    yield f"127.1.44.1:{port}"
    server.stop(None)


def test_a_grpc_call(services, engine):
    """A real client and a real server of gRPC, with Envoy and the picker between them."""
    picker = services.endpoint_picker([engine], plugins=[COST, "queue-scorer"], parsers=["vllmgrpc-parser"])

    def speak_http2(bootstrap):
        options = bootstrap.protocol_options("pool")
        options.clear()
        options["http2_protocol_options"] = {}

    envoy, log = logging_envoy(services, picker, [engine], change=speak_http2)
    request = vllm["GenerateRequest"](
        tokenized=vllm["TokenizedInput"](input_ids=range(300)), stream=True,
        sampling_params=vllm["SamplingParams"](max_tokens=5),
    )
    with grpc.insecure_channel(f"127.0.0.1:{envoy.port}") as channel:
        generate = channel.unary_stream(
            GENERATE, vllm["GenerateRequest"].SerializeToString, vllm["GenerateResponse"].FromString
        )
        replies = list(generate(request, timeout=20, metadata=[("x-request-name", "call")]))
    assert [list(reply.chunk.token_ids) for reply in replies] == [[0], [1], [2], [3], [4]]
    assert float(cost_of(log, "call")) == 300 + 5000
    assert picker.metric("llm_d_epp_request_input_tokens_sum") == 300
    assert picker.metric("llm_d_epp_request_output_tokens_sum") == 5
    assert picker.leases() == 0
