"""Requests of a session stay on one endpoint: by a token that the client sends back, or by a name that it chose."""

import base64
import itertools

import pytest
from configurations import endpoint_list, endpoints, pool, write
from extproc_client import Stream, ask, open_channel, respond, upstream_address
from harness import chat, eventually
from raw_http import ask as ask_http

SERVED = "x-gateway-destination-endpoint-served"
TOKEN, SESSION = "x-session-token", "x-session-id"
FILTER, SCORER = "session-affinity-filter", "session-affinity-scorer"
NUMBERS = itertools.count()

BY_TOKEN = {}
BY_NAME = {"strategy": "session_id"}
# A filter, a scorer, and both for the same sessions.
PLUGINS = [[FILTER], [SCORER], [FILTER, SCORER]]
NAMES = ["filter", "scorer", "both"]


def token(name):
    return base64.b64encode(f"default/{name}".encode()).decode()


def new_session():
    return f"session-{next(NUMBERS)}"


class Epp:
    """`martlet epp`, asked by the client of gRPC's own library."""

    def __init__(self, services, plugins, parameters):
        self.pods = [services.model_server(f"127.1.20.{number}") for number in (1, 2, 3)]
        self.picker = services.endpoint_picker(
            self.pods, "--allow-experimental-plugins",
            plugins=[(plugin, parameters) for plugin in plugins], profile=plugins,
        )
        self.channel = open_channel(self.picker.address)
        self.names = {pod.address: f"endpoint-{number}" for number, pod in enumerate(self.pods)}

    def send(self, **headers):
        """The name of the endpoint that a request is sent to, and the token of its response."""
        stream = Stream(self.channel)
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        picked = ask(stream, chat(), fields, path="/v1/chat/completions").endpoint
        answer = respond(stream, b"{}")
        stream.close()
        return self.names[picked], answer.set.get(TOKEN)

    def remove(self, name):
        """Takes an endpoint out of the list; gives a function that brings it back."""
        left = [address for address, endpoint in self.names.items() if endpoint != name]
        whole = endpoint_list(self.names)
        kept = {"endpoints": [entry for entry in whole["endpoints"] if entry["name"] != name]}

        def show(document, addresses):
            write(self.picker.endpoint_file, document)
            eventually(lambda: set(self.picker.endpoints()) == set(addresses), "the new list")

        show(kept, left)
        return lambda: show(whole, self.names)


class Serve:
    """`martlet serve` before simulators."""

    def __init__(self, services, plugins, parameters):
        self.simulators = services.simulators(3)
        config = {
            "apiVersion": "llm-d.ai/v1alpha1",
            "kind": "EndpointPickerConfig",
            "plugins": [{"type": plugin, "parameters": parameters} for plugin in plugins],
        }
        self.documents = [pool("models", "m"), config]
        self.file = services.folder / f"{plugins[0]}-{next(NUMBERS)}.yaml"
        self.whole = endpoints(self.simulators, "m")
        write(self.file, *self.documents, self.whole)
        self.gateway = services.gateway("--config", self.file, "--served-header", "--allow-experimental-plugins")
        self.names = {simulator.address: f"m-{number}" for number, simulator in enumerate(self.simulators)}

    def send(self, **headers):
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        reply = ask_http(self.gateway.port, chat(max_tokens=1), headers=fields)
        assert reply.status == 200, reply.body
        return self.names[reply.headers[SERVED]], reply.headers.get(TOKEN)

    def remove(self, name):
        kept = dict(self.whole, endpoints=[entry for entry in self.whole["endpoints"] if entry["name"] != name])

        def show(document):
            write(self.file, *self.documents, document)
            eventually(
                lambda: len(self.gateway.endpoints()) == len(document["endpoints"]), "the new list"
            )

        show(kept)
        return lambda: show(self.whole)


@pytest.fixture(params=[Epp, Serve], ids=["epp", "serve"])
def door(request, services):
    return lambda plugins, parameters: request.param(services, plugins, parameters)


@pytest.mark.parametrize("plugins", PLUGINS, ids=NAMES)
def test_the_token_of_a_response_leads_back(door, plugins):
    gateway = door(plugins, BY_TOKEN)
    for name in gateway.names.values():
        for _ in range(3):
            assert gateway.send(x_session_token=token(name)) == (name, token(name))
    # Without a token, or with one that means nothing, requests go anywhere, and the response tells where.
    for sent in [{}, {"x_session_token": "!"}, {"x_session_token": token("gone")}, {"x_session_token": "A" * 4000}]:
        homes = set()
        for _ in range(40):
            name, told = gateway.send(**sent)
            assert told == token(name)
            homes.add(name)
            if len(homes) == 3:
                break
        assert len(homes) == 3, f"{sent}: {homes}"


@pytest.mark.parametrize("plugins", PLUGINS, ids=NAMES)
def test_a_named_session_stays(door, plugins):
    gateway = door(plugins, BY_NAME)
    homes = {}
    for number in range(20):
        session = new_session()
        homes[session], told = gateway.send(x_session_id=session)
        assert told is None
    assert len(set(homes.values())) == 3
    for _ in range(3):
        for session, home in homes.items():
            assert gateway.send(x_session_id=session) == (home, None)


@pytest.mark.parametrize("plugins", PLUGINS, ids=NAMES)
def test_a_session_moves_when_its_endpoint_leaves_and_then_stays(door, plugins):
    gateway = door(plugins, BY_NAME)
    session = new_session()
    first, _ = gateway.send(x_session_id=session)
    bring_back = gateway.remove(first)
    second, _ = gateway.send(x_session_id=session)
    assert second != first
    bring_back()
    for _ in range(5):
        assert gateway.send(x_session_id=session)[0] == second


def test_a_token_of_an_endpoint_that_left_is_replaced(door):
    gateway = door([FILTER], BY_TOKEN)
    name, told = gateway.send()
    gateway.remove(name)
    other, new = gateway.send(x_session_token=told)
    assert other != name and new == token(other)


def test_a_session_survives_its_endpoint(services):
    gateway = Serve(services, [FILTER], BY_NAME)
    session = new_session()
    first, _ = gateway.send(x_session_id=session)
    next(s for s in gateway.simulators if gateway.names[s.address] == first).kill()
    second, _ = gateway.send(x_session_id=session)
    assert second != first
    for _ in range(5):
        assert gateway.send(x_session_id=session)[0] == second


def test_the_token_is_that_of_who_served(services):
    """A proxy that sent the request elsewhere tells so; the token follows."""
    gateway = Epp(services, [FILTER], BY_TOKEN)
    stream = Stream(gateway.channel)
    picked = ask(stream, chat(), [(TOKEN, token("endpoint-0"))], path="/v1/chat/completions").endpoint
    assert gateway.names[picked] == "endpoint-0"
    answer = respond(stream, b"{}", **upstream_address(gateway.pods[2].address))
    stream.close()
    assert answer.set[TOKEN] == token("endpoint-2")
