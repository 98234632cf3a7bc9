"""HTTP/1.1 as clients use it: connections kept, requests in line, bodies in pieces, and streams as they come."""

import json
import time

import pytest
from harness import chat, eventually
from raw_http import RawConnection, ask, events, request_bytes


@pytest.fixture(scope="module")
def simulator(shared):
    return shared.simulator("--inter-token-latency-milliseconds", "20")


@pytest.fixture(scope="module")
def gateway(shared, simulator):
    return shared.gateway_over([simulator])


def test_a_connection_serves_many_requests(gateway):
    with RawConnection(gateway.port) as connection:
        for number in range(20):
            reply = connection.exchange(request_bytes(chat(text=f"{number}", stream=number % 3 == 0, max_tokens=2)))
            assert reply.status == 200
            assert reply.headers.get("connection", "keep-alive").lower() == "keep-alive"


def test_connection_close_is_honoured(gateway):
    with RawConnection(gateway.port) as connection:
        reply = connection.exchange(request_bytes(chat(), headers=[("connection", "close")]))
        assert reply.status == 200
        assert reply.headers["connection"].lower() == "close"
        assert connection.is_closed_by_peer()


def test_pipelined_requests_are_answered_in_order(gateway):
    # The first takes longest: an answer that overtook it would come first.
    lengths = [12, 1, 6, 1, 3]
    requests = [
        request_bytes(chat(max_tokens=length, stream=index == 2), headers=[("x-request-id", f"order-{index}")])
        for index, length in enumerate(lengths)
    ]
    with RawConnection(gateway.port) as connection:
        connection.send(b"".join(requests))
        replies = [connection.read_reply() for _ in requests]
    for index, reply in enumerate(replies):
        assert reply.status == 200
        document = json.loads(events(reply.body)[0]) if index == 2 else reply.json()
        assert document["id"].endswith(f"order-{index}")


def test_a_bad_request_in_line_waits_for_its_turn(gateway):
    with RawConnection(gateway.port) as connection:
        connection.send(request_bytes(chat(max_tokens=8)) + request_bytes(b"not JSON") + request_bytes(chat()))
        assert [connection.read_reply().status for _ in range(3)] == [200, 400, 200]


def test_expect_100_continue(gateway):
    content = json.dumps(chat()).encode()
    head = request_bytes(b"", headers=[("expect", "100-continue")]).replace(
        b"content-length: 0", b"content-length: %d" % len(content)
    )
    with RawConnection(gateway.port) as connection:
        assert connection.exchange(head).status == 100
        assert connection.exchange(content).status == 200


def test_expect_100_continue_with_a_body_too_large(gateway):
    head = request_bytes(b"", headers=[("expect", "100-continue")]).replace(
        b"content-length: 0", b"content-length: 104857600"
    )
    with RawConnection(gateway.port) as connection:
        reply = connection.exchange(head)
        assert reply.status == 413
        reply.error()


def test_a_chunked_body_in_many_pieces(gateway):
    content = json.dumps(chat(text="pièces détachées " * 200)).encode()
    with RawConnection(gateway.port) as connection:
        connection.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.test\r\n")
        connection.send(b"transfer-encoding: chunked\r\n\r\n")
        for start in range(0, len(content), 97):
            piece = content[start : start + 97]
            connection.send(b"%x;extension=1\r\n%b\r\n" % (len(piece), piece))
        connection.send(b"0\r\nx-trailer: ignored\r\n\r\n")
        assert connection.read_reply().status == 200
        assert connection.exchange(request_bytes(chat())).status == 200


def test_a_head_byte_by_byte(gateway):
    request = request_bytes(None, "/v1/models", "GET")
    with RawConnection(gateway.port) as connection:
        for index in range(len(request)):
            connection.send(request[index : index + 1])
        assert connection.read_reply("GET").json()["object"] == "list"


def test_head_has_no_body(gateway):
    with RawConnection(gateway.port) as connection:
        for path in ("/v1/models", "/health", "/no-such-path"):
            reply = connection.exchange(request_bytes(None, path, "HEAD"), "HEAD")
            assert reply.status in (200, 404, 405)
        assert connection.exchange(request_bytes(None, "/v1/models", "GET"), "GET").status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_http_1_0_closes_and_knows_no_chunks(gateway, stream):
    with RawConnection(gateway.port) as connection:
        connection.send(request_bytes(chat(stream=stream, max_tokens=4), version="HTTP/1.0"))
        reply = connection.read_reply()
        assert reply.status == 200
        assert "transfer-encoding" not in reply.headers
        assert reply.body.endswith(b"data: [DONE]\n\n") if stream else reply.json()["choices"]
        assert connection.is_closed_by_peer()


def test_anything_else_is_passed_through(gateway):
    assert ask(gateway.port, None, "/version?verbose=1", "GET").json()["version"]
    assert ask(gateway.port, None, "/no-such-path", "GET").status == 404


def test_hop_by_hop_headers_stay_here(gateway):
    with RawConnection(gateway.port) as connection:
        hops = [("connection", "keep-alive, x-private"), ("x-private", "1"), ("te", "trailers")]
        reply = connection.exchange(request_bytes(chat(), headers=hops))
        assert reply.status == 200
        assert not {"keep-alive", "proxy-connection", "upgrade", "te", "trailer"} & set(reply.headers)


def test_events_arrive_one_by_one(gateway):
    with RawConnection(gateway.port) as connection:
        reply = connection.exchange(request_bytes(chat(stream=True, max_tokens=50, ignore_eos=True)))
    assert len(events(reply.body)) >= 50
    generation = 50 * 0.020
    spread = reply.arrivals[-1] - reply.arrivals[0]
    assert spread >= 0.7 * generation, f"50 tokens arrived within {spread:.3f} s of {generation} s"
    gaps = [later - earlier for earlier, later in zip(reply.arrivals, reply.arrivals[1:])]
    assert sum(gap > 0.005 for gap in gaps) >= 35, "events were gathered"


def test_the_first_event_does_not_wait(gateway):
    with RawConnection(gateway.port) as connection:
        started = time.monotonic()
        connection.send(request_bytes(chat(stream=True, max_tokens=100, ignore_eos=True)))
        while b"data: " not in connection.buffer:
            connection.buffer += connection.socket.recv(65536)
        assert time.monotonic() - started < 1.0


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_takes_its_request_along(gateway, simulator, stream):
    with RawConnection(gateway.port) as connection:
        connection.send(request_bytes(chat(stream=stream, max_tokens=2000, ignore_eos=True)))
        eventually(lambda: simulator.state()["running"] == 1, "a running request")
    eventually(lambda: simulator.state()["running"] == 0, "the cancelled request", within=1)
    assert gateway.endpoints()[simulator.address]["in_flight"] == 0
    assert gateway.metric("martlet_proxy_client_disconnects_total") >= 1


def test_a_slow_reader_holds_up_nobody(gateway):
    with RawConnection(gateway.port) as slow:
        slow.send(request_bytes(chat(stream=True, max_tokens=200, ignore_eos=True)))
        for _ in range(10):
            assert ask(gateway.port, chat(max_tokens=1)).status == 200
        reply = slow.read_reply()
        assert reply.body.endswith(b"data: [DONE]\n\n")
