"""llama.cpp's server behind `martlet serve`, and behind Envoy with `martlet epp`."""

import json

import pytest
from doors import assert_read_right
from engines import LlamaCpp, MODEL, Running, completion, eventually
from raw_http import events

# With a context that shifts this takes minutes, and is aborted. The server looks for the end of a stream's connection
# only: a whole answer it computes to the end.
LONG = completion(max_tokens=1_000_000, stream=True)


@pytest.fixture(scope="module")
def door(open_door, llamas):
    """The engine of the first endpoint is named by its label, that of the second one is recognised by its page."""
    return open_door(llamas, [{"llm-d.ai/engine-type": "llamacpp"}, {}])


@pytest.fixture(autouse=True)
def at_rest(door):
    door.await_rest()


def test_an_idle_engine_is_read_right(door):
    for engine in door.engines:
        assert_read_right(door, engine)


@pytest.mark.parametrize("place", [0, 1], ids=["labelled", "recognised"])
def test_a_busy_engine_is_read_right_and_left_alone(door, place):
    """Two requests run and three wait, as the engine has two slots."""
    busy, idle = door.engines[place], door.engines[1 - place]
    with Running(busy.port).begin(LONG, LlamaCpp.SLOTS + 3):
        eventually(lambda: busy.figures()["waiting"] == 3, "three requests that wait")
        told = assert_read_right(door, busy)
        assert (told["running"], told["waiting"]) == (LlamaCpp.SLOTS, 3)
        assert_read_right(door, idle)
        for number in range(4):
            before = idle.page().sum("llamacpp:tokens_predicted_total")
            door.ask(completion(prompt=f"{place} {number} where is room"))
            after = idle.page().sum("llamacpp:tokens_predicted_total")
            assert after == before + 4, "the other engine answered"


def test_a_shared_prefix_comes_back_with_cached_tokens(door):
    prefix = f"{door.name} " + "the engine that holds its prefix answers " * 40
    cached = []
    for number in range(6):
        said = json.loads(door.ask(completion(prompt=f"{prefix} {number}")))["usage"]
        cached.append(said["prompt_tokens_details"]["cached_tokens"])
        assert number == 0 or cached[-1] > said["prompt_tokens"] - 64, (cached, said)
    assert cached[0] < 32, cached


@pytest.mark.parametrize("path, prompt", [
    ("/v1/completions", {"prompt": "Hello"}),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}]}),
])
def test_tokens_of_a_stream_are_counted(door, path, prompt):
    counter = "llm_d_epp_request_output_tokens_sum"
    before = door.chooser.metric(counter) or 0
    body = {"model": MODEL, "max_tokens": 20, "ignore_eos": True, "stream": True} | prompt
    pieces = events(door.ask(body | {"stream_options": {"include_usage": True}}, path))
    assert pieces.pop() == "[DONE]"
    (said,) = [usage for usage in (json.loads(piece).get("usage") for piece in pieces) if usage]
    assert said["completion_tokens"] == 20
    eventually(lambda: (door.chooser.metric(counter) or 0) - before == 20, "twenty more tokens")


def test_an_abort_frees_the_lease_and_the_engine(door):
    with Running(door.port).begin(LONG, 3) as streams:
        eventually(lambda: sum(engine.requests() for engine in door.engines) == 3, "three requests on the engines")
        assert door.in_flight() == 3
        streams.abort()
        eventually(lambda: all(engine.requests() == 0 for engine in door.engines), "engines that stopped", within=15)
        eventually(lambda: door.in_flight() == 0, "leases that are free", within=15)
    for endpoint in door.chooser.endpoints().values():
        assert endpoint["in_flight_tokens"] == 0
        assert endpoint["available"], endpoint
