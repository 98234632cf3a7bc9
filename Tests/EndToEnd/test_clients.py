"""The official clients: what they get through the gateway is what they get from a model server."""

import anthropic
import openai
import pytest

QUESTION = [{"role": "system", "content": "You are terse. " * 40}, {"role": "user", "content": "Name three rivers."}]


@pytest.fixture(scope="module")
def gateway(shared):
    return shared.gateway("--simulate", "3", "--seed", "7")


@pytest.fixture(scope="module")
def model(gateway):
    return openai_client(gateway.url).models.list().data[0].id


@pytest.fixture(scope="module")
def simulator(shared, model):
    return shared.simulator("--seed", "7", model=model)


def openai_client(url):
    # No retries: a failure that the client library hides is still a failure.
    return openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0, timeout=30)


def anthropic_client(url):
    return anthropic.Anthropic(base_url=url, api_key="none", max_retries=0, timeout=30)


def chat(url, model):
    reply = openai_client(url).chat.completions.create(model=model, messages=QUESTION, max_tokens=12)
    choice = reply.choices[0]
    assert choice.message.content
    return [reply.object, reply.model, choice.message.content, choice.finish_reason, tokens(reply.usage)]


def chat_stream(url, model):
    stream = openai_client(url).chat.completions.create(
        model=model, messages=QUESTION, max_tokens=12, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[-1].usage.completion_tokens == 12
    deltas = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert "".join(delta or "" for delta in deltas)
    return [deltas, reasons, tokens(chunks[-1].usage)]


def completion(url, model):
    reply = openai_client(url).completions.create(model=model, prompt="Once upon a time", max_tokens=10)
    return [reply.object, reply.model, reply.choices[0].text, reply.choices[0].finish_reason, tokens(reply.usage)]


def completion_stream(url, model):
    chunks = openai_client(url).completions.create(model=model, prompt="Once upon", max_tokens=10, stream=True)
    return [[chunk.choices[0].text for chunk in chunks if chunk.choices]]


def embeddings(url, model):
    reply = openai_client(url).embeddings.create(model=model, input=["one", "two"], encoding_format="float")
    assert len(reply.data) == 2 and all(entry.embedding for entry in reply.data)
    return [reply.object, reply.model, [entry.embedding for entry in reply.data], reply.usage.prompt_tokens]


def responses(url, model):
    reply = openai_client(url).responses.create(model=model, input="Name a river.", max_output_tokens=10)
    assert reply.output_text
    return [reply.object, reply.model, reply.status, reply.output_text, reply.usage.output_tokens]


def responses_stream(url, model):
    stream = openai_client(url).responses.create(model=model, input="A river.", max_output_tokens=10, stream=True)
    seen = list(stream)
    assert seen[-1].type == "response.completed"
    return [[event.type for event in seen], seen[-1].response.output_text]


def models(url, model):
    listed = openai_client(url).models.list()
    return [listed.object, sorted((entry.id, entry.object) for entry in listed.data)]


def message(url, model):
    reply = anthropic_client(url).messages.create(
        model=model, max_tokens=12, system="Be brief. " * 30, messages=[{"role": "user", "content": "Name a sea."}]
    )
    assert reply.content[0].text
    return [reply.type, reply.role, reply.model, reply.content[0].text, reply.stop_reason, reply.usage.output_tokens]


def message_stream(url, model):
    with anthropic_client(url).messages.stream(
        model=model, max_tokens=12, messages=[{"role": "user", "content": "Name a sea."}]
    ) as stream:
        texts = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(texts) == final.content[0].text
    return [texts, final.stop_reason, final.usage.output_tokens]


def count_tokens(url, model):
    counted = anthropic_client(url).messages.count_tokens(
        model=model, messages=[{"role": "user", "content": "How many tokens is this?"}]
    )
    return [counted.input_tokens]


def tokens(usage):
    # What came from the prefix cache depends on which endpoint served what before.
    return [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens]


CALLS = [
    chat, chat_stream, completion, completion_stream, embeddings, responses, responses_stream, models, message,
    message_stream, count_tokens,
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_gateway_gives_what_one_simulator_gives(gateway, simulator, model, call):
    assert call(gateway.url, model) == call(simulator.url, model)


def test_one_model_can_be_retrieved(gateway, model):
    client = openai_client(gateway.await_models().url)
    assert client.models.retrieve(model).id == model
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


def test_unknown_model_is_the_clients_not_found_error(gateway, model):
    gateway.await_models()
    with pytest.raises(openai.NotFoundError) as error:
        openai_client(gateway.url).chat.completions.create(model="no-such-model", messages=QUESTION)
    assert "no-such-model" in error.value.message and model in error.value.message
    assert error.value.code == "model_not_found"


def test_bad_request_is_the_clients_bad_request_error(gateway, model):
    with pytest.raises(openai.BadRequestError) as error:
        openai_client(gateway.url).chat.completions.create(model=model, messages=[])
    assert "messages" in error.value.message


def test_anthropic_errors_have_anthropics_shape(gateway):
    gateway.await_models()
    with pytest.raises(anthropic.NotFoundError) as error:
        anthropic_client(gateway.url).messages.create(
            model="no-such-model", max_tokens=4, messages=[{"role": "user", "content": "?"}]
        )
    assert error.value.body["type"] == "error"
    assert error.value.body["error"]["type"] == "not_found_error"
    assert "no-such-model" in error.value.body["error"]["message"]
