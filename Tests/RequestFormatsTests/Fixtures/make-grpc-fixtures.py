#!/usr/bin/env python3
"""Writes grpc.json beside it: bodies of gRPC calls as Google's protobuf encodes them, with what is in them.

Run it with the Python of the end-to-end tests: `.venv/bin/python make-grpc-fixtures.py`. With --check it only compares.
"""

import json
import pathlib
import random
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1] / "EndToEnd"))

from google.protobuf.message import DecodeError  # noqa: E402
from grpc_messages import HttpBody, frame, vertex, vllm  # noqa: E402

CHAT = json.dumps(
    {
        "model": "gemma", "stream": True, "max_completion_tokens": 12, "cache_salt": "s",
        "messages": [{"role": "user", "content": "Grüße"}],
    },
    ensure_ascii=False,
).encode()
RESPONSES = json.dumps({"input": "hello", "max_output_tokens": 3}).encode()
IDS = [0, 1, 127, 128, 300, 2**21, 2**32 - 1]

TokenizedInput, SamplingParams = vllm["TokenizedInput"], vllm["SamplingParams"]
MultimodalInputs, PlaceholderRange = vllm["MultimodalInputs"], vllm["PlaceholderRange"]


def varints(numbers):
    encoded = bytearray()
    for number in numbers:
        while number >= 0x80:
            encoded.append(number & 0x7F | 0x80)
            number >>= 7
        encoded.append(number)
    return bytes(encoded)


def generate(**fields):
    return vllm["GenerateRequest"](**fields)


REQUESTS = [
    # Name, API, message, prompt, token ids, stream, most tokens, model.
    ("text", "vllmGRPCGenerate", generate(text="Grüße"), "Grüße".encode(), None, False, None, None),
    (
        "text, stream and limit", "vllmGRPCGenerate",
        generate(
            request_id="r", text="x" * 300, stream=True,
            sampling_params=SamplingParams(temperature=0.5, top_p=1, max_tokens=64, stop=["a", "b"], n=2, seed=-1),
        ),
        b"x" * 300, None, True, 64, None,
    ),
    (
        "limit of 0", "vllmGRPCGenerate", generate(text="x", sampling_params=SamplingParams(max_tokens=0)),
        b"x", None, False, 0, None,
    ),
    (
        "parameters without a limit", "vllmGRPCGenerate", generate(text="x", sampling_params=SamplingParams(n=1)),
        b"x", None, False, None, None,
    ),
    (
        "token ids", "vllmGRPCGenerate",
        generate(tokenized=TokenizedInput(original_text="of old", input_ids=IDS), stream=True),
        varints(IDS), len(IDS), True, None, None,
    ),
    ("no token ids", "vllmGRPCGenerate", generate(tokenized=TokenizedInput()), b"", 0, False, None, None),
    ("empty text", "vllmGRPCGenerate", generate(text=""), b"", None, False, None, None),
    (
        "images", "vllmGRPCGenerate",
        generate(
            tokenized=TokenizedInput(input_ids=[5] * 100),
            mm_inputs=MultimodalInputs(mm_placeholders=[PlaceholderRange(offset=1, length=9)], mm_hashes=["abc"]),
        ),
        varints([5] * 100), 100, False, None, None,
    ),
    (
        "embedding", "vllmGRPCEmbed", vllm["EmbedRequest"](request_id="r", tokenized=TokenizedInput(input_ids=IDS)),
        varints(IDS), len(IDS), False, None, None,
    ),
    (
        "chat in a call", "vertexChatCompletions",
        vertex["ChatCompletionsRequest"](
            endpoint="e" * 200, http_body=HttpBody(content_type="application/json", data=CHAT)
        ),
        CHAT[CHAT.index(b"[{") : CHAT.index(b"}]") + 2], None, True, 12, "gemma",
    ),
    (
        "responses in a call", "vertexRawPredict",
        vertex["StreamRawPredictRequest"](http_body=HttpBody(data=RESPONSES)), b"hello", None, False, 3, None,
    ),
    (
        "responses in a call without a stream", "vertexRawPredict",
        vertex["RawPredictRequest"](http_body=HttpBody(data=RESPONSES)), b"hello", None, False, 3, None,
    ),
]


def chunk(**fields):
    return vllm["GenerateResponse"](chunk=fields)


def complete(**fields):
    return vllm["GenerateResponse"](complete=fields)


def http(data):
    return HttpBody(content_type="text/event-stream", data=data)


USAGE = b'{"usage":{"prompt_tokens":7,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":3}}}'
RESPONSE_CASES = [
    # Name, API, messages, counts.
    ("complete", "vllmGRPCGenerate", [complete(prompt_tokens=7, completion_tokens=10, cached_tokens=4)], (7, 10, 4)),
    (
        "long output", "vllmGRPCGenerate",
        [complete(output_ids=range(700), finish_reason="stop", prompt_tokens=300, completion_tokens=700)],
        (300, 700, 0),
    ),
    (
        "stream", "vllmGRPCGenerate",
        [
            chunk(token_ids=[1]), chunk(token_ids=[2, 3], prompt_tokens=5, completion_tokens=3, cached_tokens=2),
            chunk(), chunk(token_ids=[4], prompt_tokens=5, completion_tokens=4),
        ],
        (5, 4, 2),
    ),
    ("stream without counts", "vllmGRPCGenerate", [chunk(token_ids=[1, 2]), chunk()], None),
    ("cached alone", "vllmGRPCGenerate", [complete(cached_tokens=4)], None),
    (
        "embedding", "vllmGRPCEmbed",
        [vllm["EmbedResponse"](embedding=[0.25] * 40, prompt_tokens=9, embedding_dim=40)], (9, 0, 0),
    ),
    ("embedding without counts", "vllmGRPCEmbed", [vllm["EmbedResponse"](embedding=[1.0])], None),
    ("JSON in a call", "vertexChatCompletions", [http(USAGE)], (7, 10, 3)),
    (
        "events in calls", "vertexRawPredict",
        [http(b'data: {"type":"x"}\n\n'), http(b"data: " + USAGE[:30]), http(USAGE[30:] + b"\n\ndata: [DONE]\n\n")],
        (7, 10, 3),
    ),
    ("no JSON in a call", "vertexChatCompletions", [http(b"no healthy upstream")], None),
]


def request_case(name, api, message, prompt, ids, stream, limit, model):
    return {
        "name": name, "api": api, "body": frame(message).hex(), "prompt": prompt.hex(), "tokenIDCount": ids,
        "stream": stream, "maxOutputTokens": limit, "model": model,
    }


def response_case(name, api, messages, counts):
    return {"name": name, "api": api, "body": b"".join(map(frame, messages)).hex(), "counts": counts}


def damaged(choice, data):
    data = bytearray(data)
    place = choice.randrange(len(data))
    kind = choice.randrange(8)
    if kind < 3:
        data[place] = choice.randrange(256)
    elif kind < 6:
        data[place] ^= 1 << choice.randrange(8)
    elif kind == 6:
        data.insert(place, choice.randrange(256))
    else:
        del data[place]
    return bytes(data)


def damaged_cases():
    """Messages of GenerateRequest with a byte changed, and what protobuf reads in them; nothing when it refuses."""
    choice = random.Random(1)
    parameters = SamplingParams(temperature=0.5, max_tokens=300, n=2, seed=-1)
    messages = [
        generate(request_id="r" * 20, text="words " * 5, stream=True, sampling_params=parameters),
        generate(tokenized=TokenizedInput(original_text="words", input_ids=IDS * 3), sampling_params=parameters),
    ]
    for number in range(600):
        data = damaged(choice, messages[number % 2].SerializeToString())
        case = {"body": frame(data).hex(), "read": None}
        try:
            request = vllm["GenerateRequest"].FromString(data)
        except DecodeError:
            yield case
            continue
        limit = request.sampling_params.max_tokens if request.sampling_params.HasField("max_tokens") else None
        ids = len(request.tokenized.input_ids) if request.WhichOneof("input") == "tokenized" else None
        prompt = request.text.encode().hex() if request.WhichOneof("input") == "text" else None
        case["read"] = {
            "input": request.WhichOneof("input"), "text": prompt, "tokenIDCount": ids, "stream": request.stream,
            "maxOutputTokens": limit,
        }
        yield case


def main():
    content = {
        "requests": [request_case(*case) for case in REQUESTS],
        "responses": [response_case(*case) for case in RESPONSE_CASES],
        "damaged": list(damaged_cases()),
    }
    lines = (
        f'"{name}": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]" for name, cases in content.items()
    )
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    path = FOLDER / "grpc.json"
    if "--check" in sys.argv:
        sys.exit(0 if path.read_text() == text else f"{path.name} is not what this script writes")
    path.write_text(text)


if __name__ == "__main__":
    main()
