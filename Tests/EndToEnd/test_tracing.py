"""Traces: one id from the client to the model server, spans at a collector, nothing lost but spans when it fails."""

import json
import os

import grpc
import httpx
import pytest
from envoy_process import Bootstrap
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from harness import eventually, fetch, free_port
from kubernetes_api import make_certificate
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from trace_collectors import GRPCCollector, HTTPCollector

CHAT = {"model": "sim-model", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
# Batches leave quickly, so that tests need not wait.
PROMPT = {"OTEL_BSP_SCHEDULE_DELAY": "50"}


@pytest.fixture
def collectors():
    """Makes collectors that stop with the test."""
    made = []

    def make(kind=GRPCCollector, **options):
        made.append(kind(**options))
        return made[-1]

    yield make
    for collector in made:
        collector.stop()


def new_context(sampled=True):
    """A trace id, the id of a client's span, and the header that says so."""
    trace_id, span_id = os.urandom(16).hex(), os.urandom(8).hex()
    return trace_id, span_id, f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}"


def otlp(collector, **variables):
    """The environment of a process that exports to a collector."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url} | PROMPT | variables


def traced_simulator(services, collector):
    return services.simulator("--otlp-traces-endpoint", collector.url, environment=PROMPT)


def traced_gateway(services, simulators, environment, *arguments):
    return services.gateway_over(simulators, "--tracing", *arguments, environment=environment)


def chat(url, traceparent=None, body=CHAT, **headers):
    if traceparent is not None:
        headers["traceparent"] = traceparent
    return fetch(url + "/v1/chat/completions", body, headers=headers)


def count(service, result):
    """The spans that a gateway counts."""
    return service.metric("martlet_trace_spans_total", result=result)


def by_name(spans):
    """The only span of each name."""
    names = {span.name: span for span in spans}
    assert len(names) == len(spans), sorted(span.name for span in spans)
    return names


def parent_name(spans, name):
    """The name of the parent of the only span of a name."""
    by_id = {span.span_id: span.name for span in spans}
    (span,) = [span for span in spans if span.name == name]
    return by_id.get(span.parent_id)


def assert_children_lie_within(spans):
    """Whatever is a part of a span of the same gateway does not stick out of it."""
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        parent = by_id.get(span.parent_id)
        if parent and parent.service == span.service and span.service != "envoy":
            assert parent.start <= span.start and span.end <= parent.end, (span.name, parent.name)


@pytest.mark.parametrize("kind", [GRPCCollector, HTTPCollector])
def test_one_trace_from_the_client_to_the_model_server(services, collectors, kind):
    collector, engines = collectors(kind), collectors(GRPCCollector)
    simulator = traced_simulator(services, engines)
    protocol = "grpc" if kind is GRPCCollector else "http/protobuf"
    environment = otlp(
        collector,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_HEADERS="x-tenant=a%20b",
        OTEL_SERVICE_NAME="gateway-of-the-test",
    )
    gateway = traced_gateway(services, [simulator], environment)
    trace_id, client, header = new_context()
    status, _, _ = chat(gateway.url, header, tracestate="vendor=1", **{"x-request-id": "r-1"})
    assert status == 200

    spans = collector.await_spans(["gateway.request", "pick_endpoints"])
    (engine,) = engines.await_spans(["llm_request"])
    assert {span.trace_id for span in [*spans, engine]} == {trace_id}
    assert {span.trace_state for span in [*spans, engine]} == {"vendor=1"}
    assert {span.service for span in spans} == {"gateway-of-the-test"}
    assert_children_lie_within(spans)
    assert collector.headers[0]["x-tenant"] == "a b"
    if kind is HTTPCollector:
        assert collector.headers[0][":path"] == "/v1/traces"

    names = by_name(spans)
    request, attempt = names["gateway.request"], names["chat sim-model"]
    assert request.parent_id == client and request.kind == "server" and request.flags & 0x300 == 0x300
    assert attempt.parent_id == request.span_id and attempt.kind == "client"
    assert engine.parent_id == attempt.span_id and engine.kind == "server"
    for name, parent in {
        "gateway.request_orchestration": "gateway.request",
        "run_scheduler_profile": "gateway.request_orchestration",
        "llm_d.epp.scoring": "run_scheduler_profile",
        "llm_d.epp.scorer.queue-scorer": "llm_d.epp.scoring",
        "pick_endpoints": "run_scheduler_profile",
    }.items():
        assert parent_name(spans, name) == parent, name

    assert request.attributes["gen_ai.request.id"] == "r-1"
    assert request.attributes["gen_ai.operation.name"] == "chat"
    assert request.attributes["gen_ai.request.model"] == "sim-model"
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["url.path"] == "/v1/chat/completions"
    assert request.attributes["gen_ai.usage.output_tokens"] == 4
    assert request.attributes["gen_ai.server.time_to_first_token"] > 0
    assert request.start < request.events["first_token"] <= request.end
    assert (attempt.attributes["server.address"], attempt.attributes["server.port"]) == ("127.0.0.1", simulator.port)
    picked = names["pick_endpoints"].attributes
    assert picked["llm_d.epp.picker.candidate_endpoints"] == 1 and len(picked["llm_d.epp.picker.top_scores"]) == 1
    scorer = names["llm_d.epp.scorer.queue-scorer"].attributes
    assert scorer["llm_d.epp.scorer.score.max"] == scorer["llm_d.epp.scorer.score.avg"]
    assert engine.attributes["gen_ai.usage.completion_tokens"] == 4
    latency = {key.rpartition(".")[2]: value for key, value in engine.attributes.items() if ".latency." in key}
    assert latency["e2e"] >= latency["time_to_first_token"] > latency["time_in_queue"] > 0
    assert latency["e2e"] == pytest.approx(latency["time_in_queue"] + latency["time_in_model_inference"])
    assert not any(span.is_error for span in spans)
    eventually(lambda: count(gateway, "exported") == len(spans), "the number of exported spans")


def test_one_trace_through_envoy_and_the_endpoint_picker(services, collectors):
    collector = collectors()
    simulators = [traced_simulator(services, collector) for _ in range(2)]
    picker = services.endpoint_picker(simulators, environment=otlp(collector))
    bootstrap = envoy_with_tracer(collector, picker, simulators)
    envoy = services.envoy(bootstrap)
    trace_id, client, header = new_context()
    status, _, _ = chat(envoy.url, header, baggage="user=1")
    assert status == 200

    spans = collector.await_spans(["gateway.request", "llm_request"])
    eventually(lambda: any(s.parent_id == client and s.service == "envoy" for s in collector.spans()), "Envoy's span")
    spans = collector.spans()
    assert {span.trace_id for span in spans} == {trace_id}
    assert {span.service for span in spans} == {"envoy", "llm-d-epp", "martlet-sim"}
    by_id = {span.span_id: span for span in spans}
    request = next(span for span in spans if span.name == "gateway.request")
    engine = next(span for span in spans if span.name == "llm_request")
    assert request.parent_id == client, "the picker reads the header of the request"
    assert by_id[engine.parent_id].service == "envoy", "Envoy sends the request, so the engine's part is in its own"
    assert parent_name(spans, "run_scheduler_profile") == "gateway.request_orchestration"
    assert request.attributes["server.port"] in [simulator.port for simulator in simulators]
    assert_children_lie_within(spans)


def test_an_envoy_without_a_tracer_passes_the_pickers_context_on(services, collectors):
    collector = collectors()
    simulator = traced_simulator(services, collector)
    picker = services.endpoint_picker([simulator], environment=otlp(collector, OTEL_TRACES_SAMPLER="always_on"))
    envoy = services.envoy_over(picker, [simulator])
    assert chat(envoy.url)[0] == 200
    spans = by_name(collector.await_spans(["gateway.request", "llm_request"]))
    request, engine = spans["gateway.request"], spans["llm_request"]
    assert request.parent_id == "" and engine.parent_id == request.span_id
    assert engine.trace_id == request.trace_id


@pytest.mark.parametrize("engine", ["own", "nio-http2"])
def test_a_trace_that_envoy_begins_has_the_picker_in_it(services, collectors, engine):
    collector = collectors()
    simulators = [traced_simulator(services, collector)]
    picker = services.endpoint_picker(simulators, "--http2-engine", engine, environment=otlp(collector))
    envoy = services.envoy(envoy_with_tracer(collector, picker, simulators))
    assert chat(envoy.url)[0] == 200
    collector.await_spans(["ingress", "gateway.request", "llm_request"])
    spans = collector.spans()
    assert len({span.trace_id for span in spans}) == 1
    assert "ext_proc" in parent_name(spans, "gateway.request"), "the picker works for Envoy's call of it"


@pytest.mark.parametrize("command", ["serve", "epp"])
def test_a_trace_that_the_client_does_not_record_is_not_exported(services, collectors, command):
    collector = collectors()
    simulator = traced_simulator(services, collector)
    environment = otlp(collector, OTEL_TRACES_SAMPLER_ARG="1")
    if command == "serve":
        url = traced_gateway(services, [simulator], environment).url
    else:
        picker = services.endpoint_picker([simulator], environment=environment)
        url = services.envoy_over(picker, [simulator]).url
    unsampled, recorded = new_context(sampled=False), new_context()
    assert chat(url, unsampled[2])[0] == 200
    # The second request is exported behind where the first one would have been.
    assert chat(url, recorded[2])[0] == 200
    spans = collector.await_spans(["gateway.request", "llm_request"])
    assert {span.trace_id for span in spans} == {recorded[0]}


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
def test_what_the_endpoint_reads(services, collectors, http2):
    collector = collectors()
    server = services.model_server()
    gateway = services.gateway("--endpoint", server.url, "--tracing", environment=otlp(collector))
    trace_id, _, header = new_context()
    sent = {"traceparent": header, "tracestate": "a=1,b=2", "baggage": "user=a%20b,x=1;p=q"}
    with httpx.Client(http1=not http2, http2=http2) as client:
        reply = client.post(gateway.url + "/v1/chat/completions", json=CHAT | {"model": "base"}, headers=sent)
    read = reply.json()["headers"]
    (attempt,) = [span for span in collector.await_spans(["chat base"]) if span.kind == "client"]
    assert read["traceparent"] == f"00-{trace_id}-{attempt.span_id}-01"
    assert (read["tracestate"], read["baggage"]) == (sent["tracestate"], sent["baggage"])


def test_the_header_passes_as_it_came_without_tracing(services, collectors):
    collector = collectors()
    simulator = traced_simulator(services, collector)
    gateway = services.gateway_over([simulator], environment=otlp(collector))
    trace_id, client, header = new_context()
    assert chat(gateway.url, header, tracestate="a=1,b=2")[0] == 200
    (engine,) = collector.await_spans(["llm_request"])
    assert (engine.trace_id, engine.parent_id, engine.trace_state) == (trace_id, client, "a=1,b=2")
    assert gateway.metric("martlet_trace_spans_total") is None


@pytest.mark.parametrize("case", ["no variable says where to", "the flag says no", "the environment says none"])
def test_an_endpoint_picker_makes_no_traces_unless_somebody_says_where_they_go(services, collectors, case):
    collector = collectors()
    simulator = traced_simulator(services, collector)
    picker = services.endpoint_picker(
        [simulator],
        *(["--tracing=false"] if case == "the flag says no" else []),
        environment={} if case == "no variable says where to" else otlp(
            collector, OTEL_TRACES_EXPORTER="none" if case == "the environment says none" else "otlp"),
    )
    envoy = services.envoy_over(picker, [simulator])
    trace_id, client, header = new_context()
    assert chat(envoy.url, header)[0] == 200
    (engine,) = collector.await_spans(["llm_request"])
    assert (engine.trace_id, engine.parent_id) == (trace_id, client)
    assert count(picker, "exported") is None and "resourceSpans" not in picker.log()


def test_a_new_trace_does_not_take_over_the_state_of_another(services, collectors):
    collector = collectors()
    simulator = traced_simulator(services, collector)
    gateway = traced_gateway(services, [simulator], otlp(collector, OTEL_TRACES_SAMPLER="always_on"))
    assert chat(gateway.url, "00-not-a-context-01", tracestate="a=1")[0] == 200
    spans = collector.await_spans(["gateway.request", "llm_request"])
    assert {span.trace_state for span in spans} == {""}
    assert len({span.trace_id for span in spans}) == 1


def test_each_attempt_is_a_span(services, collectors):
    collector = collectors()
    simulators = [traced_simulator(services, collector) for _ in range(2)]
    gateway = traced_gateway(services, simulators, otlp(collector))
    simulators[0].set_faults(error_status=503, error_probability=1)

    def retried():
        trace_id, _, header = new_context()
        # Another text each time: one that an endpoint has in its cache would go there again and again.
        prompt = CHAT | {"messages": [{"role": "user", "content": trace_id}]}
        assert chat(gateway.url, header, prompt)[0] == 200
        spans = eventually(
            lambda: [s for s in collector.spans() if s.trace_id == trace_id and s.service == "martlet"], "its spans")
        attempts = sorted((s for s in spans if s.kind == "client"), key=lambda s: s.start)
        return (spans, attempts) if len(attempts) == 2 else None

    spans, (first, second) = eventually(retried, "a request that begins at the endpoint that fails")
    assert first.is_error and first.attributes["http.response.status_code"] == 503
    assert first.attributes["server.port"] == simulators[0].port
    assert not second.is_error and second.attributes["http.request.resend_count"] == 1
    assert second.attributes["server.port"] == simulators[1].port

    def at_the_engine():
        return [s for s in collector.spans() if s.name == "llm_request" and s.trace_id == second.trace_id]

    engine = eventually(at_the_engine, "the engine's span")
    assert [span.parent_id for span in engine] == [second.span_id]
    decisions = [span for span in spans if span.name == "gateway.request_orchestration"]
    assert len(decisions) == 2


def test_a_refusal_says_why(services, collectors):
    collector = collectors()
    simulator = services.simulator()
    gateway = traced_gateway(services, [simulator], otlp(collector)).await_models()
    _, _, header = new_context()
    assert chat(gateway.url, header, CHAT | {"model": "nobody"})[0] == 404
    spans = by_name(collector.await_spans(["gateway.request"]))
    request, orchestration = spans["gateway.request"], spans["gateway.request_orchestration"]
    assert request.attributes["martlet.reason"] == orchestration.attributes["martlet.reason"] == "modelNotFound"
    assert request.attributes["http.response.status_code"] == 404
    assert orchestration.is_error and "nobody" in orchestration.message
    assert not request.is_error, "that a client asks for what is not there is no error of the server"
    simulator.kill()
    eventually(lambda: chat(gateway.url, new_context()[2])[0] == 503, "the end of the only endpoint")
    reasons = ("upstreamFailed", "endpointsDown")
    refused = eventually(
        lambda: [s for s in collector.spans() if s.attributes.get("martlet.reason") in reasons], "a refusal")
    assert all(span.is_error and span.message for span in refused)


def test_a_dead_collector_costs_spans_and_nothing_else(services):
    simulator = services.simulator()
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_TRACES_SAMPLER": "always_on",
        "OTEL_BSP_MAX_QUEUE_SIZE": "64",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16",
    } | PROMPT
    gateway = traced_gateway(services, [simulator], environment)
    for _ in range(40):
        assert chat(gateway.url)[0] == 200
    # 64 spans wait and one batch is on its way; 40 requests have more spans than that.
    eventually(lambda: count(gateway, "dropped") > 0, "dropped spans")
    assert count(gateway, "exported") == 0
    assert gateway.terminate() == 0
    told = [line for line in gateway.log().splitlines() if "could not be sent" in line]
    assert len(told) == 1, "once a minute is enough"


def retry_info(milliseconds):
    """Trailers that say when to come again: a google.rpc.Status with a RetryInfo."""
    delay = Duration(nanos=milliseconds * 1_000_000).SerializeToString()
    info = b"\x0a" + bytes([len(delay)]) + delay
    detail = Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=info).SerializeToString()
    return (("grpc-status-details-bin", b"\x08\x08\x1a" + bytes([len(detail)]) + detail),)


def test_spans_are_sent_again_behind_an_answer_that_passes(services, collectors):
    for kind, protocol, answer in (
        (HTTPCollector, "http/protobuf", (503, {"retry-after": "1"})),
        (GRPCCollector, "grpc", (grpc.StatusCode.UNAVAILABLE, ())),
        (GRPCCollector, "grpc", (grpc.StatusCode.RESOURCE_EXHAUSTED, retry_info(milliseconds=300))),
    ):
        collector = collectors(kind)
        collector.answers = [answer]
        simulator = services.simulator()
        environment = otlp(collector, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
        gateway = traced_gateway(services, [simulator], environment)
        assert chat(gateway.url, new_context()[2])[0] == 200
        spans = collector.await_spans(["gateway.request"])
        assert collector.calls == 2
        eventually(lambda: count(gateway, "exported") == len(spans), "the number of exported spans")
        assert count(gateway, "failed") == count(gateway, "dropped") == 0


def test_spans_are_given_up_behind_an_answer_that_does_not_pass(services, collectors):
    for kind, protocol, answer in (
        (HTTPCollector, "http/protobuf", (400, {})),
        (GRPCCollector, "grpc", (grpc.StatusCode.UNAUTHENTICATED, ())),
        # Without a word of when, this one does not pass either.
        (GRPCCollector, "grpc", (grpc.StatusCode.RESOURCE_EXHAUSTED, ())),
    ):
        collector = collectors(kind)
        collector.answers = [answer]
        simulator = services.simulator()
        gateway = traced_gateway(services, [simulator], otlp(collector, OTEL_EXPORTER_OTLP_PROTOCOL=protocol))
        assert chat(gateway.url, new_context()[2])[0] == 200
        eventually(lambda: count(gateway, "failed") > 0, "spans that failed")
        assert collector.calls == 1 and count(gateway, "exported") == 0


def test_what_a_collector_takes_only_in_part_is_counted_and_told(services, collectors):
    collector = collectors()
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 2
    partial.partial_success.error_message = "two too many"
    collector.answers = [partial]
    gateway = traced_gateway(services, [services.simulator()], otlp(collector))
    assert chat(gateway.url, new_context()[2])[0] == 200
    eventually(lambda: count(gateway, "failed") == 2, "two spans that failed")
    assert count(gateway, "exported") > 0
    eventually(lambda: "did not take 2 of" in gateway.log() and "two too many" in gateway.log(), "the warning")


def test_the_last_spans_are_sent_at_the_end_of_the_process(services, collectors):
    collector = collectors()
    gateway = traced_gateway(services, [services.simulator()], otlp(collector, OTEL_BSP_SCHEDULE_DELAY="3600000"))
    assert chat(gateway.url, new_context()[2])[0] == 200
    assert collector.spans() == []
    assert gateway.terminate() == 0
    assert "gateway.request" in {span.name for span in collector.spans()}


@pytest.mark.parametrize("kind", [GRPCCollector, HTTPCollector])
def test_a_collector_with_tls_knows_its_clients(services, collectors, tmp_path, kind):
    certificate, key = make_certificate(tmp_path, "collector")
    if kind is GRPCCollector:
        pair = (key.read_bytes(), certificate.read_bytes())
        credentials = grpc.ssl_server_credentials([pair], certificate.read_bytes(), require_client_auth=True)
        collector = collectors(credentials=credentials)
    else:
        collector = collectors(HTTPCollector, certificate=(certificate, key))
    environment = otlp(
        collector,
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc" if kind is GRPCCollector else "http/json",
        OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificate),
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=str(certificate),
        OTEL_EXPORTER_OTLP_CLIENT_KEY=str(key),
    )
    gateway = traced_gateway(services, [services.simulator()], environment)
    assert chat(gateway.url, new_context()[2])[0] == 200
    spans = collector.await_spans(["gateway.request", "pick_endpoints"])
    assert_children_lie_within(spans)


def test_a_collector_whose_certificate_nobody_vouches_for_gets_nothing(services, collectors, tmp_path):
    certificate, key = make_certificate(tmp_path, "collector")
    pair = (key.read_bytes(), certificate.read_bytes())
    collector = collectors(credentials=grpc.ssl_server_credentials([pair]))
    gateway = traced_gateway(services, [services.simulator()], otlp(collector))
    assert chat(gateway.url, new_context()[2])[0] == 200
    gateway.await_line("could not be sent to the collector", "a warning")
    assert collector.calls == 0


def test_the_console_gets_a_line_of_json_for_each_batch(services):
    environment = {"OTEL_TRACES_EXPORTER": "console"} | PROMPT
    gateway = traced_gateway(services, [services.simulator()], environment)
    trace_id, _, header = new_context()
    assert chat(gateway.url, header)[0] == 200
    line = gateway.await_line(r"^\{\"resourceSpans.*$", "a line of spans").group(0)
    spans = json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert {span["traceId"] for span in spans} == {trace_id}


def test_values_that_cannot_be_used_are_told_at_the_start(services, collectors):
    collector = collectors()
    environment = otlp(collector, OTEL_TRACES_SAMPLER_ARG="two", OTEL_EXPORTER_OTLP_COMPRESSION="gzip")
    gateway = traced_gateway(services, [services.simulator()], environment)
    for warning in (
        "OTEL_TRACES_SAMPLER_ARG 'two' is not a number from 0 to 1; 0.1 is used.",
        "OTEL_EXPORTER_OTLP_COMPRESSION 'gzip' is not none; batches are not compressed.",
    ):
        eventually(lambda: warning in gateway.log(), warning)


def envoy_with_tracer(collector, picker, simulators):
    """A bootstrap of one pool whose Envoy sends its own spans to the same collector."""
    bootstrap = Bootstrap("one-pool.yaml")
    bootstrap.set_server("epp", picker)
    bootstrap.set_endpoints("pool", [simulator.address for simulator in simulators])
    cluster = bootstrap.add_cluster("collector", like="epp")
    cluster.pop("transport_socket", None)
    bootstrap.set_endpoints("collector", [collector.address])
    bootstrap.manager["tracing"] = {
        "random_sampling": {"value": 100},
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "grpc_service": {"envoy_grpc": {"cluster_name": "collector"}, "timeout": "1s"},
                "service_name": "envoy",
            },
        },
    }
    return bootstrap
