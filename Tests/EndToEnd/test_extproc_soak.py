"""Many ext_proc streams at once, and many requests through Envoy: `make soak-extproc` takes the full numbers."""

import asyncio
import json
from collections import Counter

import grpc
import pytest
from extproc_client import PROCESS, ext_proc, pieces, request_body, request_headers, response_body, response_headers
from harness import chat, eventually
from load import ClosedLoop

pytestmark = pytest.mark.timeout(900)


def body_of(number):
    """A request whose prompt begins like no other, so that no endpoint is preferred."""
    return json.dumps({"model": "m", "prompt": f"{number}. " + "Tell me more. " * 70}).encode()


class Streams:
    """Streams that are all opened, then all held, then all ended; each is checked."""

    def __init__(self, address, count):
        self.address, self.count = address, count
        self.picked = Counter()

    async def run(self, while_open):
        options = [("grpc.use_local_subchannel_pool", 1)]
        # A server may allow 100 streams on a connection; that is what connections are for.
        channels = [grpc.aio.insecure_channel(self.address, options) for _ in range(-(-self.count // 100))]
        try:
            opening = [self.open(channels[number % len(channels)], body_of(number)) for number in range(self.count)]
            calls = await asyncio.gather(*opening)
            await asyncio.to_thread(while_open)
            await asyncio.gather(*(self.finish(call) for call in calls))
        finally:
            await asyncio.gather(*(channel.close() for channel in channels))

    async def open(self, channel, content):
        method = channel.stream_stream(
            PROCESS, ext_proc.ProcessingRequest.SerializeToString, ext_proc.ProcessingResponse.FromString
        )
        call = method(timeout=300)
        await call.write(request_headers("/v1/completions"))
        for piece in pieces(content, 400):
            await call.write(request_body(piece))
        await call.write(request_body(b"", True))
        headers = await call.read()
        (picked,) = headers.dynamic_metadata.fields["envoy.lb"].struct_value.fields.values()
        self.picked[picked.string_value] += 1
        body = await call.read()
        streamed = body.request_body.response.body_mutation.streamed_response
        assert streamed.body == content and streamed.end_of_stream
        return call

    async def finish(self, call):
        await call.write(response_headers())
        assert (await call.read()).HasField("response_headers")
        for number in range(10):
            await call.write(response_body(b"data: {}\n\n", number == 9))
            assert (await call.read()).HasField("response_body")
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() == grpc.StatusCode.OK


def test_streams_at_once(services, soak_streams):
    servers = [services.model_server(f"127.1.25.{number}") for number in (1, 2, 3)]
    picker = services.endpoint_picker(servers, "--refresh-metrics-interval", "500ms")
    streams = Streams(picker.address, soak_streams)

    def all_in_flight():
        eventually(lambda: picker.leases() == soak_streams, f"{soak_streams} requests in flight", within=30)

    def a_round():
        asyncio.run(streams.run(all_in_flight))
        eventually(lambda: picker.leases() == 0, "no request in flight")
        return picker.resident_bytes()

    # Memory that was freed is used again, once every arena has had its share.
    warm = [a_round() for _ in range(4)][-1]
    later = [a_round() for _ in range(2)][-1]
    assert later < warm * 1.15 + (2 << 20), f"resident memory grew from {warm / 2**20:.1f} to {later / 2**20:.1f} MiB"
    assert sum(streams.picked.values()) == 6 * soak_streams
    assert set(streams.picked) == {server.address for server in servers}
    assert not picker.metric("martlet_lease_leaks_total")


def test_requests_through_envoy_without_one_failure(services, soak_requests):
    """Every tenth is a stream; the endpoints are simulated engines that answer as fast as they can."""
    simulators = [
        services.simulator(
            "--inter-token-latency-milliseconds", "0", "--prefill-tokens-per-second", "inf",
            "--max-running-sequences", "512", "--kv-blocks", "20000", host=f"127.1.26.{number}",
        )
        for number in (1, 2, 3, 4)
    ]
    picker = services.endpoint_picker(simulators, secure=True)
    envoy = services.envoy_over(picker, simulators)
    # A share of it before the first look at memory, so that caches and pools have their size.
    with ClosedLoop(
        envoy.port, 32, lambda n: chat(text=f"{n % 50} " * 60, max_tokens=2, stream=n % 10 == 0)
    ) as load:
        load.await_outcomes(soak_requests // 5, within=300)
        early = picker.resident_bytes()
        load.await_outcomes(soak_requests - len(load.outcomes), within=600)
        late = picker.resident_bytes()
    load.assert_no_failures()
    assert late < early * 1.25 + (4 << 20), f"resident memory grew from {early / 2**20:.1f} to {late / 2**20:.1f} MiB"
    eventually(lambda: picker.leases() == 0, "no request in flight")
    assert picker.metric("llm_d_epp_request_total") == len(load.outcomes)
    assert not picker.metric("martlet_lease_leaks_total")
