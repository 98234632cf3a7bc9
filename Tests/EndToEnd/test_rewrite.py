"""InferenceModelRewrite through both doors: the target serves, and the client hears the name that it asked for."""

import json

import openai
import pytest
from configurations import endpoints, model_rewrite, pool, write
from envoy_process import Bootstrap
from harness import eventually
from raw_http import RawConnection, request_bytes
from test_clients import CALLS, QUESTION, anthropic_client, openai_client

# The client's names are shorter, as long and longer than the target's.
NAMES = ["m", "gpt-4", "a-name-that-is-much-longer-than-that-of-the-model"]
TARGET = "llama"
PIN = "x-llm-d-model-name-rewrite"
ADAPTERS = ["sql-v1", "sql-v2"]


@pytest.fixture(scope="module")
def simulators(shared):
    """Two engines with the base model; each has one of the adapters."""
    return [
        shared.simulator("--seed", "7", "--lora-adapters", adapter, host=f"127.1.30.{number}", model=TARGET)
        for number, adapter in enumerate(ADAPTERS, 1)
    ]


def resources(simulators, sql=(("sql-v1", 1), ("sql-v2", 1))):
    return (
        pool("llama", "llama"),
        endpoints(simulators, "llama"),
        model_rewrite("aliases", "llama", (NAMES, {TARGET: 1}), (["lost"], {"gone": 1})),
        model_rewrite(
            "sql", "llama", (["sql"], dict(sql)), annotations={"martlet.dev/sticky-by-header": "x-session-id"}
        ),
    )


@pytest.fixture(scope="module")
def file(shared, simulators):
    return write(shared.folder / "rewrites.yaml", *resources(simulators))


class Door:
    """Where clients connect, and the process whose metrics count."""

    def __init__(self, url, service):
        self.url, self.service = url, service
        self.port = int(url.rpartition(":")[2])


def envoy_before(shared, picker, simulators, name, **modes):
    bootstrap = Bootstrap(name)
    bootstrap.set_server("epp", picker)
    bootstrap.set_endpoints("pool", [simulator.address for simulator in simulators])
    bootstrap.filter("envoy.filters.http.ext_proc")["processing_mode"].update(modes)
    return shared.envoy(bootstrap)


@pytest.fixture(scope="module")
def picker(shared, file):
    return shared.endpoint_picker_of(file).await_models()


@pytest.fixture(scope="module", params=["serve", "envoy"])
def door(request, shared, file, simulators):
    if request.param == "serve":
        gateway = shared.gateway("--config", file, "--served-header").await_models()
        return Door(gateway.url, gateway)
    picker = request.getfixturevalue("picker")
    return Door(envoy_before(shared, picker, simulators, "one-pool.yaml").url, picker)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("call", [call for call in CALLS if call.__name__ != "models"], ids=lambda call: call.__name__)
def test_clients_get_what_the_target_gives_under_their_name(door, simulators, call, name):
    given = [name if value == TARGET else value for value in call(simulators[0].url, TARGET)]
    assert call(door.url, name) == given


@pytest.mark.parametrize("name", NAMES)
def test_streams_tell_the_clients_name(door, name):
    client = openai_client(door.url)
    chunks = list(client.chat.completions.create(model=name, messages=QUESTION, max_tokens=12, stream=True))
    assert len(chunks) >= 12 and {chunk.model for chunk in chunks} == {name}
    chunks = list(client.completions.create(model=name, prompt="Once upon", max_tokens=10, stream=True))
    assert {chunk.model for chunk in chunks} == {name}
    events = list(client.responses.create(model=name, input="A river.", max_output_tokens=10, stream=True))
    told = [event.response.model for event in events if hasattr(event, "response")]
    assert len(told) >= 3 and set(told) == {name}
    messages = [{"role": "user", "content": "Name a sea."}]
    with anthropic_client(door.url).messages.stream(model=name, max_tokens=12, messages=messages) as stream:
        assert stream.get_final_message().model == name


def completion(door, model, *fields):
    body = json.dumps({"model": model, "prompt": "Hello", "max_tokens": 4}).encode()
    with RawConnection(door.port) as connection:
        return connection.exchange(request_bytes(body, "/v1/completions", headers=list(fields)))


def test_a_response_of_another_length_is_framed_right(door):
    for name in NAMES:
        reply = completion(door, name)
        assert reply.status == 200 and reply.json()["model"] == name
        assert "content-length" not in reply.headers and reply.headers["transfer-encoding"] == "chunked"


def test_what_was_not_rewritten_stays_framed_as_it_was(door):
    reply = completion(door, TARGET)
    assert reply.json()["model"] == TARGET
    # In full duplex Envoy itself takes the length away.
    assert ("content-length" in reply.headers) == (door.service.name == "gateway")


def test_the_adapter_decides_the_endpoint_and_the_header_the_adapter(door):
    for adapter in ADAPTERS:
        before = door.service.metric("llm_d_epp_model_rewrite_decisions_total", target_model=adapter) or 0
        for _ in range(5):
            assert completion(door, "sql", (PIN, adapter)).json()["model"] == "sql"
        decided = door.service.metric(
            "llm_d_epp_model_rewrite_decisions_total", model_rewrite_name="sql", model_name="sql", target_model=adapter
        )
        assert decided == before + 5
    assert completion(door, "sql", (PIN, "elsewhere")).json()["model"] == "sql"
    # An engine that lacks the adapter would answer 404.
    assert completion(door, "sql-v1", (PIN, "sql-v2")).json()["model"] == "sql-v1"


def test_sessions_stay(door):
    def target(session):
        before = {a: door.service.metric("llm_d_epp_request_total", target_model_name=a) or 0 for a in ADAPTERS}
        assert completion(door, "sql", ("x-session-id", session)).status == 200
        (chosen,) = [
            a for a in ADAPTERS
            if (door.service.metric("llm_d_epp_request_total", target_model_name=a) or 0) > before[a]
        ]
        return chosen

    first = {session: target(session) for session in map(str, range(12))}
    assert set(first.values()) == set(ADAPTERS)
    assert {session: target(session) for session in first} == first


def test_the_names_are_listed(door):
    client = openai_client(door.url)
    listed = [model.id for model in client.models.list()]
    assert set(listed) == {TARGET, *ADAPTERS, *NAMES, "sql"} and len(listed) == len(set(listed))
    assert client.models.retrieve("sql").id == "sql"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("lost")


def test_a_target_that_nobody_serves(door):
    with pytest.raises(openai.NotFoundError) as error:
        openai_client(door.url).completions.create(model="lost", prompt="Hello")
    assert error.value.code == "model_not_found"
    assert "'lost'" in error.value.message and "'gone'" in error.value.message


@pytest.mark.parametrize("request_mode", ["BUFFERED", "BUFFERED_PARTIAL", "FULL_DUPLEX_STREAMED"])
@pytest.mark.parametrize("response_mode", ["BUFFERED", "BUFFERED_PARTIAL", "STREAMED", "FULL_DUPLEX_STREAMED", "NONE"])
def test_every_body_mode_of_envoy(services, picker, simulators, request_mode, response_mode):
    """What the mode lets the picker change is changed, and every body is whole, whatever its length."""
    trailers = "SEND" if "FULL_DUPLEX_STREAMED" in (request_mode, response_mode) else "SKIP"
    envoy = envoy_before(
        services, picker, simulators, "fail-open-buffered.yaml", request_body_mode=request_mode,
        response_body_mode=response_mode, request_trailer_mode=trailers, response_trailer_mode=trailers,
    )
    door = Door(envoy.url, picker)
    for name in NAMES:
        reply = completion(door, name)
        assert reply.status == 200, reply.body
        assert reply.json()["model"] == (TARGET if response_mode == "NONE" else name)
        if response_mode != "BUFFERED":
            continue
        assert reply.headers["content-length"] == str(len(reply.body))
    chunks = openai_client(envoy.url).completions.create(model="gpt-4", prompt="Once", max_tokens=10, stream=True)
    assert {chunk.model for chunk in chunks} == {TARGET if response_mode == "NONE" else "gpt-4"}


def test_a_rollout_is_moved_by_an_edit(file, simulators, door):
    def served_by(adapter):
        before = door.service.metric("llm_d_epp_request_total", target_model_name=adapter) or 0
        replies = [completion(door, "sql") for _ in range(8)]
        assert {reply.json()["model"] for reply in replies} == {"sql"}
        return (door.service.metric("llm_d_epp_request_total", target_model_name=adapter) or 0) == before + 8

    for adapter in ADAPTERS:
        write(file, *resources(simulators, sql=[(adapter, 1)]))
        eventually(lambda: served_by(adapter), f"all requests at {adapter}")
    write(file, *resources(simulators))
