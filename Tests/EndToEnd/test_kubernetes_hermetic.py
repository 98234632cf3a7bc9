"""Upstream's hermetic cases of the endpoint picker before a cluster, in each way to say which pods are meant.

Pods are model servers on hosts of their own with one port. Where docs/compatibility.md says that Martlet answers
otherwise on purpose, the test says so too.
"""

import json
import pathlib

import pytest
import yaml
from configurations import scheduling_config
from extproc_client import (
    ENDPOINT, Stream, ask, get, open_channel, respond, response_body, response_headers, subset_hint, to_json,
)
from grpc_messages import EMBED, GENERATE, frame, generate_request, vllm
from harness import eventually, fetch
from kubernetes_api import LLMD, inference_pool, model_rewrite, objective, pod
from model_servers import complete
from test_extproc_grpc import GRPC, TRAILERS, call, chunk, tokenized
from test_extproc_grpc import complete as complete_call
from test_extproc_health import NOT_SERVING, SERVING
from test_extproc_protocol import SCORES
from test_extproc_reporting import COST, JSON_REPLY, STREAM_REPLY, reporter
from test_extproc_scheduling import SCORERS, TARGET, USAGE_EVENT, completion, set_state, tokens
from test_kubernetes_pool import APP, POD, healthy, serve
from test_session_affinity import FILTER, SCORER, TOKEN, token

PATH = "/v1/completions"
OBJECTIVE, REWRITE = "x-llm-d-inference-objective", "x-llm-d-model-name-rewrite"
# The objective of the header below has this priority, where objectives count.
PRIORITY = 2
URGENT = [(OBJECTIVE, "urgent")]
DEFAULT = scheduling_config(SCORERS, [(scorer, 1) for scorer in SCORERS], ["openai-parser"])
QUEUE_AND_CACHE = ["queue-scorer", "kv-cache-utilization-scorer"]
# One pod is idle, the others are not.
IDLE_SECOND = (3, 0.2), (0, 0.1), (10, 0.2)
ROLE = "llm-d.ai/role"
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Cluster:
    """A cluster with three pods, of which the first two decode, and a way to tell a picker of them."""

    def __init__(self, services, number, has_pool, has_types):
        self.api, self.has_pool = services.kubernetes_api(), has_pool
        if has_types:
            self.api.define()
            self.api.put(
                objective("urgent", PRIORITY, pool="pool" if has_pool else "my-picker", group=LLMD),
                model_rewrite(
                    "canary", [(["to-be-rewritten"], {"rewritten": 1})], pool="pool" if has_pool else "my-picker"
                ),
            )
        self.pods, self.port = serve(services, self.api, [f"127.3.{number}.{host}" for host in (1, 2, 3)])
        for index, server in enumerate(self.pods):
            server.max_lora = 2
            self.api.set_labels(f"m-{index}", APP | {ROLE: "decode" if index < 2 else "prefill"})
        self.priority = str(PRIORITY if has_pool else 0)

    def start(self, services, *arguments, pool="pool", app="m", protocol=None, config=DEFAULT, ready=True):
        """A picker for the pods with a label `app`; `protocol` is the pool's, where there is one."""
        environment = ()
        if self.has_pool:
            resource = inference_pool(pool, {"app": app}, [self.port])
            if protocol is not None:
                resource["spec"]["appProtocol"] = protocol
            self.api.put(resource)
        else:
            pool, environment = None, POD
            arguments = [*arguments, f"--endpoint-selector=app={app}", f"--endpoint-target-ports={self.port}"]
        return services.cluster_picker(
            self.api, *arguments, pool=pool, config=config, environment=environment, ready=ready
        )

    def name(self, address):
        """The name of an endpoint."""
        return f"m-{addresses(self).index(address)}-rank-0"


def addresses(cluster):
    return [server.address for server in cluster.pods]


MODES = {"pool": (1, True, True), "selector": (2, False, False), "selector with types": (3, False, True)}


@pytest.fixture(scope="module", params=MODES.values(), ids=MODES.keys())
def cluster(request, shared):
    return Cluster(shared, *request.param)


@pytest.fixture(scope="module")
def pods(cluster):
    return cluster.pods


@pytest.fixture(scope="module")
def picker(shared, cluster):
    return cluster.start(shared)


def pick(channel, body, fields=(), **options):
    """The answer to a request that then ends."""
    stream = Stream(channel)
    answer = ask(stream, body, fields, path=options.pop("path", PATH), **options)
    stream.cancel()
    return answer


def counted(picker, **labels):
    return picker.metric("llm_d_epp_request_total", **labels) or 0


# Which pod


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        (IDLE_SECOND, 1),
        ([(0, 0.2, "foo", "bar"), (0, 0.1, "foo", TARGET), (10, 0.2, "foo", "bar")], 1),
        ([(10, 0.2, "foo", "bar"), (10, 0.4, "foo", TARGET), (10, 0.3, "foo")], 1),
        ([(6, 0.2, "foo", "bar", TARGET), (0, 0.85, "foo"), (10, 0.9, "foo")], 0),
    ],
    ids=["short queue and empty cache", "active adapter", "adapter before cache", "nothing is shed"],
)
def test_metrics_and_adapters_decide(cluster, picker, pods, channel, states, chosen):
    set_state(picker, pods, *states)
    labels = {"model_name": "my-model", "target_model_name": TARGET, "priority": cluster.priority}
    before = counted(picker, **labels)
    answer = pick(channel, completion("my-model"), [*URGENT, (REWRITE, TARGET)])
    assert answer.endpoint == pods[chosen].address
    assert json.loads(answer.body)["model"] == TARGET
    assert counted(picker, **labels) == before + 1
    assert picker.metric("llm_d_epp_ready_endpoints") == 3


def test_a_passthrough_body_is_balanced_and_not_read(services, cluster, pods):
    config = scheduling_config(QUEUE_AND_CACHE, [(name, 1) for name in QUEUE_AND_CACHE], ["passthrough-parser"])
    picker = cluster.start(services, config=config)
    set_state(picker, pods, *IDLE_SECOND)
    with open_channel(picker.address) as channel:
        answer = pick(channel, b"passthrough-parser", URGENT)
    assert (answer.endpoint, answer.body) == (pods[1].address, b"passthrough-parser")
    assert counted(picker, model_name="", target_model_name="", priority=cluster.priority) == 1


def test_a_body_in_pieces_is_one_body(picker, pods, channel):
    set_state(picker, pods, (4, 0.2, "foo", "bar", TARGET), (0, 0.85, "foo"), (10, 0.9, "foo"))
    body = completion()
    answer = pick(channel, body, chunk=30)
    assert answer.endpoint == pods[0].address and json.loads(answer.body) == body


def test_a_subset_limits_the_choice(picker, pods, channel):
    set_state(picker, pods, (0, 0.2, "foo"), (0, 0.1, "foo", TARGET), (10, 0.2, "foo"))
    for hint, chosen in ([0, 1, 2], 1), ([2], 2):
        hint = subset_hint([pods[index].address for index in hint])
        assert pick(channel, completion(), metadata=hint).endpoint == pods[chosen].address


def test_a_subset_of_nobody(picker, channel):
    error = pick(channel, completion(), metadata=subset_hint(["127.3.9.99:8000"])).error(503)
    assert error["fields"]["x-llm-d-request-dropped-reason"] == "rejected-no-endpoints"


def test_a_model_without_an_objective(picker, pods, channel):
    set_state(picker, pods, (0, 0.2, "foo", "bar"), (0, 0.1, "foo", "direct-model"), (10, 0.2, "foo"))
    before = counted(picker, model_name="direct-model", target_model_name="direct-model", priority="0")
    body = completion("direct-model")
    answer = pick(channel, body, [(REWRITE, "direct-model"), (OBJECTIVE, "nobody-wrote-it")])
    assert answer.endpoint == pods[1].address and json.loads(answer.body) == body
    assert counted(picker, model_name="direct-model", target_model_name="direct-model", priority="0") == before + 1


def test_a_rewrite_counts_for_its_pool_only(cluster, picker, channel):
    target = "rewritten" if cluster.has_pool else "to-be-rewritten"
    before = counted(picker, model_name="to-be-rewritten", target_model_name=target)
    answer = pick(channel, completion("to-be-rewritten"))
    assert answer.endpoint and json.loads(answer.body)["model"] == target
    assert counted(picker, model_name="to-be-rewritten", target_model_name=target) == before + 1


def test_a_get_goes_somewhere(cluster, stream):
    answer = get(stream, "/v1/anything")
    assert answer.endpoint in addresses(cluster)
    assert not answer.bodies


# Refusals: the status codes are upstream's, the bodies are JSON in the shape of the client's API


@pytest.mark.parametrize(
    ("body", "words"), [(b"no healthy upstream", "JSON"), (b'{"prompt":"hello world"}', "model")],
    ids=["no JSON", "no model"],
)
def test_a_body_without_a_model(stream, body, words):
    error = ask(stream, body, path=PATH).error(400)
    assert error["type"] == "invalid_request_error" and words in error["message"]


def test_without_pods(services, cluster):
    """503 for a request of headers alone, where upstream's answer is 500. What the client did wrong is said first."""
    picker = cluster.start(services, pool="empty", app="nobody", ready=False)
    eventually(lambda: healthy(picker) == SERVING, "the empty pool")
    with open_channel(picker.address) as channel:
        error = get(Stream(channel), "/v1/anything").error(503)
        assert error["fields"]["x-llm-d-request-dropped-reason"] == "rejected-no-endpoints"
        assert pick(channel, b'{"prompt":"hello world"}').error(400)
        assert pick(channel, completion()).error(503)


# Responses


@pytest.mark.parametrize(
    "chunks", [[b'{"id":"1",', b'"object":"x"}'], [b"no JSON"], [b'{"id":"1"}', b""]],
    ids=["two pieces", "no JSON", "an empty end"],
)
def test_a_response_is_passed_on_piece_by_piece(channel, chunks):
    """Each piece comes at once; upstream holds a body that is no stream back to its end."""
    stream = Stream(channel)
    ask(stream, completion(), path=PATH)
    answer = respond(stream, *chunks)
    assert answer.body == b"".join(chunks) and answer.ends_with_body
    assert answer.set["x-went-into-resp-headers"] == "true"
    stream.close()


def test_a_response_whose_request_was_not_shown(stream):
    """As from a proxy that asks about responses only."""
    stream.send(response_headers(), response_body(b'{"id":'), response_body(b'"1"}', True))
    responses = [stream.receive() for _ in range(3)]
    assert [response.WhichOneof("response") for response in responses] == ["response_headers", *["response_body"] * 2]
    stream.close()


def test_usage_of_a_stream_is_counted(picker, channel):
    bucket = picker.metric("llm_d_epp_request_input_tokens_bucket", le="8") or 0
    before = tokens(picker, "input"), tokens(picker, "output")
    stream = Stream(channel)
    ask(stream, completion(), path=PATH)
    chunks = [b"data: {}\n\n", USAGE_EVENT, b""]
    answer = respond(stream, *chunks, content_type="text/event-stream")
    passed_on = [response.response_body.response.body_mutation.streamed_response.body for response in answer.bodies]
    assert passed_on == chunks
    stream.close()
    assert picker.metric("llm_d_epp_request_input_tokens_bucket", le="8") == bucket + 1
    assert (tokens(picker, "input"), tokens(picker, "output")) == (before[0] + 7, before[1] + 10)


# gRPC


def test_calls_of_vllm(services, cluster, pods):
    """Generate, Embed and a stream, whole and in pieces, their subsets and usage, and what is no call."""
    config = scheduling_config(QUEUE_AND_CACHE, [(name, 1) for name in QUEUE_AND_CACHE], ["vllmgrpc-parser"])
    picker = cluster.start(services, pool="grpc", protocol="kubernetes.io/h2c", config=config)
    assert healthy(picker) == healthy(picker, "readiness") == SERVING
    set_state(picker, pods, *IDLE_SECOND)
    generate, embed = generate_request(text="x"), frame(vllm["EmbedRequest"](tokenized=tokenized([1, 2])))
    replies = [
        (generate, GENERATE, complete_call(prompt_tokens=7, completion_tokens=10), (7, 10)),
        (generate_request(text="x", stream=True), GENERATE,
         chunk(token_ids=[1]) + chunk(prompt_tokens=7, completion_tokens=10), (7, 10)),
        (embed, EMBED, frame(vllm["EmbedResponse"](embedding=[0.5], prompt_tokens=3)), (3, 0)),
        (generate, GENERATE, b"no frame", (0, 0)),
        (b"anything", "/vllm.grpc.engine.VllmEngine/HealthCheck", b"anything", (0, 0)),
    ]
    with open_channel(picker.address) as channel:
        for size in 2**20, 4:
            for body, path, reply, used in replies:
                before = tokens(picker, "input"), tokens(picker, "output")
                stream = Stream(channel)
                answer = call(stream, body, path, chunk=size)
                assert (answer.endpoint, answer.body) == (pods[1].address, body)
                assert respond(stream, reply, content_type=GRPC, trailers=TRAILERS).body == reply
                stream.close()
                after = tokens(picker, "input"), tokens(picker, "output")
                assert after == (before[0] + used[0], before[1] + used[1])
        assert call(Stream(channel), generate, metadata=subset_hint([pods[2].address])).endpoint == pods[2].address
        assert call(Stream(channel), b"no frame").error(400)
        assert call(Stream(channel), generate, metadata=subset_hint(["127.3.9.99:1"])).error(503)


def test_a_pool_of_http_servers_is_not_served_by_a_parser_of_grpc(services, cluster):
    """Where there is a pool: a selector says nothing of a protocol."""
    picker = cluster.start(
        services, pool="http", protocol="http", config=scheduling_config(parsers=["vllmgrpc-parser"]), ready=False
    )
    eventually(lambda: len(picker.endpoints()) == 3, "the pods")
    expected = NOT_SERVING if cluster.has_pool else SERVING
    eventually(lambda: healthy(picker, "readiness") == expected, "the readiness")
    assert healthy(picker) == expected
    assert (b"vllmgrpc-parser reads gRPC only" in fetch(picker.admin + "/readyz")[2]) == cluster.has_pool


# What is told besides


@pytest.mark.parametrize("arguments", [["--emit-endpoint-scores"], []], ids=["asked for", "not asked for"])
def test_scores_of_endpoints(services, cluster, pods, arguments):
    picker = cluster.start(services, *arguments)
    set_state(picker, pods, *IDLE_SECOND)
    with open_channel(picker.address) as channel:
        answer = pick(channel, completion())
    assert answer.endpoint == pods[1].address
    scores = answer.metadata["envoy.lb"].get(SCORES)
    if arguments:
        assert set(scores) == set(addresses(cluster)) and max(scores, key=scores.get) == pods[1].address
    else:
        assert scores is None


def test_the_cost_of_a_request(services, cluster):
    expression = "usage.completion_tokens + 1000 * usage.prompt_tokens_details.cached_tokens"
    picker = cluster.start(services, config=scheduling_config([reporter(expression, "has(usage.completion_tokens)")]))
    with open_channel(picker.address) as channel:
        replies = ([JSON_REPLY[:9], JSON_REPLY[9:]], "application/json"), ([STREAM_REPLY, b""], "text/event-stream")
        for chunks, kind in replies:
            stream = Stream(channel)
            ask(stream, completion(), path=PATH)
            answer = respond(stream, *chunks, content_type=kind)
            assert [to_json(response.dynamic_metadata) for response in answer.bodies] == [{}, COST]
            stream.close()


@pytest.mark.parametrize("plugin", [FILTER, SCORER])
def test_a_session_stays_on_its_pod(services, cluster, pods, plugin):
    """By the token of a response, which is made of the pod's name, even where another pod is idle."""
    config = scheduling_config([plugin, "queue-scorer"], [(plugin, 5) if plugin == SCORER else plugin, "queue-scorer"])
    picker = cluster.start(services, "--allow-experimental-plugins", config=config)
    set_state(picker, pods, *IDLE_SECOND)
    with open_channel(picker.address) as channel:
        for name in "m-0-rank-0", "m-2-rank-0":
            stream = Stream(channel)
            picked = ask(stream, completion(), [(TOKEN, token(name))], path=PATH).endpoint
            assert cluster.name(picked) == name
            assert respond(stream, b"{}").set[TOKEN] == token(name)
            stream.close()


def test_a_named_session_stays_on_its_pod(services, cluster, pods):
    config = scheduling_config([(FILTER, {"strategy": "session_id"}), "queue-scorer"], [FILTER, "queue-scorer"])
    picker = cluster.start(services, "--allow-experimental-plugins", config=config)
    homes = []
    for state in IDLE_SECOND, ((0, 0.2), (10, 0.1), (10, 0.2)):
        set_state(picker, pods, *state)
        with open_channel(picker.address) as channel:
            stream = Stream(channel)
            homes.append(ask(stream, completion(), [("x-session-id", "mine")], path=PATH).endpoint)
            assert TOKEN not in respond(stream, b"{}").set
            stream.close()
    assert homes == [pods[1].address] * 2


@pytest.mark.parametrize("decider", ["always-disagg-pd-decider", None], ids=["prefill and decode", "decode only"])
def test_a_session_of_the_prefill_worker(services, cluster, decider):
    """`profileName` says whose session it is; without a run of that profile there is no token."""
    handler = {"deciders": {"prefill": decider}} if decider else {}
    config = scheduling_config(
        [
            ("disagg-profile-handler", handler), *([decider] if decider else []), "decode-filter", "prefill-filter",
            (FILTER, {"profileName": "prefill"}),
        ],
        {"decode": ["decode-filter"], "prefill": ["prefill-filter", FILTER]},
    )
    picker = cluster.start(services, "--allow-experimental-plugins", config=config)
    with open_channel(picker.address) as channel:
        stream = Stream(channel)
        answer = ask(stream, completion(), path=PATH)
        assert answer.endpoint in addresses(cluster)[:2]
        assert ("x-prefiller-host-port" in answer.set) == (decider is not None)
        assert respond(stream, b"{}").set.get(TOKEN) == (token("m-2-rank-0") if decider else None)
        stream.close()


# Data


def test_detectors_know_what_is_in_flight(services, cluster):
    """A request that may be shed is refused while each pod has its one request, and is served after the end of one."""
    if cluster.has_pool:
        cluster.api.put(objective("later", -1, group=LLMD))
    config = scheduling_config(
        ["queue-scorer", ("concurrency-detector", {"maxConcurrency": 1})], ["queue-scorer"]
    ) | {"flowControl": {"saturationDetector": {"pluginRef": "concurrency-detector"}}}
    picker = cluster.start(services, config=config)
    with open_channel(picker.address) as channel:
        running = {}
        for address in addresses(cluster):
            stream = running[address] = Stream(channel)
            assert ask(stream, completion(), path=PATH, metadata=subset_hint([address])).endpoint == address
        assert {address: endpoint["in_flight"] for address, endpoint in picker.endpoints().items()} == dict.fromkeys(
            running, 1
        )
        answer = pick(channel, completion(), [(OBJECTIVE, "later")])
        if cluster.has_pool:
            assert "sheddable" in answer.error(429)["message"]
        else:
            assert answer.endpoint, "objectives do not count"
        for stream in running.values():
            respond(stream, b"{}")
            stream.close()
        eventually(lambda: picker.leases() == 0, "no request in flight")
        assert pick(channel, completion(), [(OBJECTIVE, "later")]).endpoint


def test_metrics_stay_while_their_page_fails(monkeypatch, picker, pods):
    set_state(picker, pods, (3, 0.25), (0, 0.1), (10, 0.2))

    def failures():
        return picker.metric("llm_d_epp_datalayer_poll_errors_total") or 0

    with monkeypatch.context() as patch:
        patch.setattr(pods[0], "answer", lambda request: complete("text/plain", b"busy", status=500))
        before = failures()
        eventually(lambda: failures() > before + 2, "failed looks at a page")
        metrics = {address: endpoint["metrics"] for address, endpoint in picker.endpoints().items()}
        assert (metrics[pods[0].address]["waiting"], metrics[pods[0].address]["kv_cache_usage"]) == (3, 0.25)
    set_state(picker, pods, (4, 0.5), (0, 0.1), (10, 0.2))


def test_a_pod_that_left_is_not_asked_for_metrics(services, cluster):
    hosts = [f"{cluster.pods[0].host.rpartition('.')[0]}.{number}" for number in (11, 12)]
    leaving, staying = servers = [services.model_server(host, port=cluster.port) for host in hosts]
    cluster.api.put(*(pod(f"left-{index}", host, labels={"app": "left"}) for index, host in enumerate(hosts)))
    picker = cluster.start(services, pool="left", app="left").await_metrics()
    assert set(picker.endpoints()) == {server.address for server in servers}
    cluster.api.remove("pods", "left-0")
    eventually(lambda: list(picker.endpoints()) == [staying.address], "the end of an endpoint")
    # One look may have been on its way.
    most, seen = leaving.pages + 1, staying.pages
    eventually(lambda: staying.pages > seen + 5, "looks at the pod that stays")
    assert leaving.pages <= most
    cluster.api.remove("pods", "left-1")


# Configurations


def configurations():
    """Each EndpointPickerConfig that deploy/install has, by its file."""
    found = {}
    for file in sorted((ROOT / "deploy/install").glob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            text = (document or {}).get("data", {}).get("picker.yaml")
            if text is not None:
                found[file.name] = yaml.safe_load(text)
    return found


@pytest.mark.parametrize("config", configurations().values(), ids=configurations().keys())
def test_the_configurations_of_the_install_files(services, cluster, config):
    picker = cluster.start(services, config=config)
    with open_channel(picker.address) as channel:
        assert pick(channel, completion()).endpoint in addresses(cluster)


def test_the_older_version_of_the_configuration(services, cluster, pods):
    picker = cluster.start(services, config=DEFAULT | {"apiVersion": "inference.networking.x-k8s.io/v1alpha1"})
    set_state(picker, pods, *IDLE_SECOND)
    with open_channel(picker.address) as channel:
        assert pick(channel, completion()).set[ENDPOINT] == pods[1].address
