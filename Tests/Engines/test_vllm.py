"""vLLM behind `martlet serve`, and behind Envoy with `martlet epp`."""

import json

import pytest
from doors import assert_read_right
from engines import ADAPTERS, MODEL, Running, VLLM, completion, eventually
from harness import fetch_json
from raw_http import events

LORA_A, LORA_B = ADAPTERS
# As long as the context allows: a test looks at such requests while they run, and then aborts them. Four of them fit
# into the cache.
LONG = 4_000


@pytest.fixture(scope="module")
def door(open_door, vllms):
    return open_door(vllms)


@pytest.fixture(autouse=True)
def at_rest(door):
    door.await_rest()


def served_by(door, ask):
    """The engine whose own page says that it answered what `ask()` asks."""
    before = [engine.answered() for engine in door.engines]
    ask()

    def grown():
        return [engine for engine, count in zip(door.engines, before) if engine.answered() > count]

    (engine,) = eventually(grown, "an engine that answered")
    return engine


def usage(content):
    return json.loads(content)["usage"]


def test_an_idle_engine_is_read_right(door):
    for engine in door.engines:
        told = assert_read_right(door, engine)
        assert told["kv_cache_usage"] == 0 and told["active_adapters"] == []
        assert (told["cache_block_size_tokens"], told["cache_blocks"]) == (32, 640)


@pytest.mark.parametrize("model", [MODEL, LORA_A])
def test_a_busy_engine_is_read_right(door, model):
    """Four requests run and two wait, as the engine has four slots."""
    busy, idle = door.engines
    with Running(busy.port).begin(completion(model, max_tokens=LONG), VLLM.SLOTS + 2):
        eventually(lambda: busy.figures()["waiting"] == 2, "two requests that wait")
        told = assert_read_right(door, busy)
        assert (told["running"], told["waiting"]) == (VLLM.SLOTS, 2)
        assert 0 < told["kv_cache_usage"] < 1
        assert told["active_adapters"] == ([] if model == MODEL else [model])
        assert_read_right(door, idle)
    door.await_rest()
    # The adapter sets of earlier stay on the page; the empty one counts now.
    told = assert_read_right(door, busy)
    assert told["active_adapters"] == [] and told["max_adapters"] == 1


@pytest.mark.parametrize("place", [0, 1])
def test_a_request_goes_to_the_idle_engine(door, place):
    busy, idle = door.engines[place], door.engines[1 - place]
    with Running(busy.port).begin(completion(max_tokens=LONG), VLLM.SLOTS + 2):
        eventually(lambda: door.told(busy)["metrics"]["waiting"] == 2, "a chooser that knows of the queue")
        for number in range(3):
            prompt = f"{place} {number} where is room"
            assert served_by(door, lambda: door.ask(completion(prompt=prompt))) is idle
        assert busy.requests() == VLLM.SLOTS + 2, "busy no more"


@pytest.mark.parametrize("place", [0, 1])
def test_an_adapter_request_goes_where_the_adapter_is(door, place):
    """One adapter fits at once: requests for it follow it, requests for the other one go to the other engine."""
    here, there = door.engines[place], door.engines[1 - place]
    with Running(here.port).begin(completion(LORA_A, max_tokens=LONG)):
        eventually(lambda: door.told(here)["metrics"]["active_adapters"] == [LORA_A], "an adapter at work")
        for number in range(3):
            prompt = f"{place} {number} {door.name}"
            assert served_by(door, lambda: door.ask(completion(LORA_A, prompt))) is here
            assert served_by(door, lambda: door.ask(completion(LORA_B, prompt))) is there


def test_an_adapter_that_one_engine_loads_while_it_runs(door, models):
    engine = door.engines[1]
    body = completion("loaded-later")
    door.ask(body, status=404)
    engine.load_adapter("loaded-later", models / LORA_A)
    try:
        eventually(
            lambda: "loaded-later" in door.chooser.endpoints()[engine.address]["models"],
            "a chooser that knows the new adapter",
        )
        for number in range(4):
            prompt = f"{number} {door.name}"
            assert served_by(door, lambda: door.ask(completion("loaded-later", prompt))) is engine
    finally:
        engine.unload_adapter("loaded-later")
    eventually(
        lambda: "loaded-later" not in door.chooser.endpoints()[engine.address]["models"],
        "a chooser that forgot the adapter",
    )
    door.ask(body, status=404)


@pytest.mark.parametrize("model", [MODEL, LORA_B])
def test_a_shared_prefix_comes_back_with_cached_tokens(door, model):
    prefix = f"{door.name} {model} " + "the engine that holds its prefix answers " * 40
    told = "llm_d_epp_request_cached_tokens_sum"
    before = door.chooser.metric(told) or 0
    first, homes, cached = None, set(), 0
    for number in range(6):
        answers = []
        engine = served_by(door, lambda: answers.append(usage(door.ask(completion(model, f"{prefix} {number}")))))
        homes.add(engine.address)
        tokens = answers[0]["prompt_tokens_details"]["cached_tokens"]
        cached += tokens
        if first is None:
            first = tokens
        else:
            # All whole blocks of the prefix: what is new is less than two blocks.
            assert tokens > answers[0]["prompt_tokens"] - 64, answers
    assert first == 0 and len(homes) == 1
    eventually(lambda: (door.chooser.metric(told) or 0) - before == cached, f"{cached} more cached tokens in {told}")


@pytest.mark.parametrize("path, body", [
    ("/v1/completions", completion()),
    ("/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 6}),
    ("/v1/messages", {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 6}),
    ("/v1/responses", {"model": MODEL, "input": "Hello", "max_output_tokens": 6}),
])
def test_tokens_of_whole_answers_are_counted(door, path, body):
    counters = ("llm_d_epp_request_input_tokens_sum", "llm_d_epp_request_output_tokens_sum")
    before = [door.chooser.metric(name) or 0 for name in counters]
    said = usage(door.ask(body, path))
    tokens = [
        said.get("prompt_tokens", said.get("input_tokens")), said.get("completion_tokens", said.get("output_tokens")),
    ]
    assert all(tokens), said
    eventually(
        lambda: [(door.chooser.metric(name) or 0) - old for name, old in zip(counters, before)] == tokens,
        f"{tokens} more tokens",
    )


def test_tokens_of_a_stream_are_counted(door):
    counter = "llm_d_epp_request_output_tokens_sum"
    before = door.chooser.metric(counter) or 0
    body = completion(max_tokens=20, stream=True, stream_options={"include_usage": True})
    *pieces, last, done = events(door.ask(body))
    assert done == "[DONE]"
    assert usage(last)["completion_tokens"] == 20
    assert pieces and all(json.loads(piece)["choices"] for piece in pieces)
    eventually(lambda: (door.chooser.metric(counter) or 0) - before == 20, "twenty more tokens")


@pytest.mark.parametrize("model, stream", [(MODEL, True), (MODEL, False), (LORA_A, True)])
def test_an_abort_frees_the_lease_and_the_engine(door, model, stream):
    with Running(door.port).begin(completion(model, max_tokens=LONG, stream=stream), 3) as streams:
        eventually(lambda: sum(engine.requests() for engine in door.engines) == 3, "three requests on the engines")
        assert door.in_flight() == 3
        streams.abort()
        # Four thousand tokens take longer than that.
        eventually(lambda: all(engine.requests() == 0 for engine in door.engines), "engines that stopped", within=15)
        eventually(lambda: door.in_flight() == 0, "leases that are free", within=15)
    for endpoint in door.chooser.endpoints().values():
        assert endpoint["in_flight_tokens"] == 0
        assert endpoint["available"], endpoint


def test_models_and_adapters_are_listed(door):
    if door.name == "epp":
        pytest.skip("Envoy asks one engine")
    listed = {model["id"] for model in fetch_json(door.url + "/v1/models")["data"]}
    assert listed == {MODEL, *ADAPTERS}


def test_what_the_engine_refuses_reaches_the_client(door):
    content = door.ask(completion(prompt="a b " * 5_000), status=400)
    assert "context length" in json.loads(content)["error"]["message"], content
