#!/usr/bin/env python3
"""Writes sessions.json and blocks.json beside it, with the packages h2 and hpack as the client and as an oracle.

    python -m venv venv
    venv/bin/pip install h2==4.4.1 hpack==4.2.0 hyperframe==6.1.0
    venv/bin/python make-fixtures.py            # --check only compares

A session is what a client sent, in hexadecimal digits, and what h2's own server makes of it. A sequence of blocks is
what one encoder made of header lists, the sizes of its table changing now and then.
"""

import json
import pathlib
import random
import sys

import h2.config
import h2.connection
import h2.events
import hpack

FOLDER = pathlib.Path(__file__).parent
NAMES = ("x-request-id", "user-agent", "traceparent", "x-envoy-expected-rq-timeout-ms", "grpc-timeout", "authorization")


def value(choice):
    alphabet = choice.choice(("0123456789abcdef-", "abcdefghijklmnopqrstuvwxyz/. ;=", "~!@#$^&*()[]{}<>?|\\\"'é"))
    return "".join(choice.choice(alphabet) for _ in range(choice.randrange(60))).strip()


def fields(choice):
    head = [
        (":method", "POST"), (":path", choice.choice(("/a/B", "/grpc.health.v1.Health/Check"))), (":scheme", "http"),
        (":authority", "picker"), ("te", "trailers"), ("content-type", "application/grpc"),
    ]
    return head + [(choice.choice(NAMES), value(choice)) for _ in range(choice.randrange(6))]


def session(seed):
    choice = random.Random(seed)
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    client.initiate_connection()
    server.initiate_connection()
    sent, told, open_streams = b"", [], []

    def exchange():
        nonlocal sent
        client.receive_data(server.data_to_send())
        data = client.data_to_send()
        sent += data
        for event in server.receive_data(data):
            tell(event, told, server)

    exchange()
    for _ in range(choice.randrange(4, 25)):
        action = choice.randrange(7)
        if action < 2 or not open_streams:
            stream = client.get_next_available_stream_id()
            is_last = choice.random() < 0.2
            client.send_headers(stream, fields(choice), end_stream=is_last)
            open_streams += [] if is_last else [stream]
        else:
            stream = choice.choice(open_streams)
            if action < 5:
                padding = choice.choice((None, None, 0, 7, 255))
                is_last = choice.random() < 0.2
                client.send_data(stream, choice.randbytes(choice.randrange(1, 300)), is_last, pad_length=padding)
            elif action == 5:
                is_last = True
                client.reset_stream(stream)
            else:
                is_last = True
                client.send_headers(stream, [("x-trailer", value(choice))], end_stream=True)
            if is_last:
                open_streams.remove(stream)
        exchange()
    return {"sent": sent.hex(), "told": told}


def tell(event, told, server):
    match event:
        case h2.events.RequestReceived():
            told.append(["request", event.stream_id, [[n, v] for n, v in event.headers]])
        case h2.events.TrailersReceived():
            told.append(["trailers", event.stream_id, [[n, v] for n, v in event.headers]])
        case h2.events.DataReceived():
            server.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            told.append(["data", event.stream_id, event.data.hex()])
        case h2.events.StreamEnded():
            told.append(["end", event.stream_id])
        case h2.events.StreamReset():
            told.append(["reset", event.stream_id])


def blocks(seed):
    choice = random.Random(seed)
    encoder = hpack.Encoder()
    cases = []
    for _ in range(20):
        if choice.random() < 0.3:
            encoder.header_table_size = choice.choice((0, 64, 200, 1000, 4096))
        listed = [(choice.choice(NAMES), value(choice)) for _ in range(choice.randrange(8))]
        cases.append({"block": encoder.encode(listed, huffman=choice.random() < 0.8).hex(), "fields": listed})
    return cases


def main():
    content = {
        "sessions": [session(seed) for seed in range(40)],
        "blocks": [blocks(seed) for seed in range(30)],
    }
    stale = 0
    for name, value_ in content.items():
        path = FOLDER / f"{name}.json"
        text = json.dumps(value_, ensure_ascii=True, indent=None, separators=(",", ":")) + "\n"
        if "--check" in sys.argv[1:]:
            if path.read_text() != text:
                print(f"{path.name} is not what this script writes")
                stale = 1
        else:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
