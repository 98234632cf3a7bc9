"""One who reads the live feed of the admin address as the dashboard's page does."""

import http.client
import json
import socket
import urllib.parse


class LiveReader:
    """A stream of `/api/live`, and what is known by it: hello, then what changed since."""

    def __init__(self, admin, timeout=15, receive_bytes=None):
        address = urllib.parse.urlsplit(admin)
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)
        self.connection.sock = socket.socket()
        if receive_bytes is not None:
            # Before it connects, so that the other side hears of it.
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.connection.sock.settimeout(timeout)
        self.connection.sock.connect((address.hostname, address.port))
        self.connection.request("GET", "/api/live")
        self.response = self.connection.getresponse()
        self.hello, self.tick, self.endpoints, self.models = None, None, {}, {}
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.response.close()
        self.connection.close()

    def next(self):
        """The next event, applied: its name and data; `None` at the stream's end."""
        fields = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                return None
            line = line.rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                break
        event, data = fields["event"], json.loads(fields["data"])
        self.events.append((event, int(fields["id"]), len(fields["data"])))
        if event == "hello":
            self.hello, self.endpoints, self.models = data, {}, {}
            self._facts(data["endpoints"])
            data = data["tick"]
        self._apply(data)
        return event

    def until(self, condition, what, ticks=15):
        """Reads on until `condition(self)` holds, which is looked at after each event."""
        for _ in range(ticks):
            if self.tick is not None and condition(self):
                return self
            assert self.next() is not None, f"the stream ended before {what}"
        assert condition(self), f"not within {ticks} ticks: {what}; known: {self.endpoints}"
        return self

    def named(self, name):
        """What is known of the endpoint with a name; `None` when there is none."""
        return next((endpoint for endpoint in self.endpoints.values() if endpoint["name"] == name), None)

    def known(self):
        """Everything that is known of endpoints and models, comparable with another reader's."""
        return self.endpoints, self.models

    def _facts(self, endpoints):
        for endpoint in endpoints:
            known = self.endpoints.setdefault(endpoint["id"], {"adapters": [], "ejection": None})
            known.update((key, endpoint[key]) for key in ("pool", "name", "namespace", "address", "labels"))

    def _apply(self, tick):
        self.tick = tick
        for number in tick["removed"]:
            del self.endpoints[number]
        self._facts(tick["added"])
        rows = tick["rows"]
        assert len({len(column) for column in rows.values()}) == 1, rows
        for place, number in enumerate(rows["id"]):
            self.endpoints[number].update((key, column[place]) for key, column in rows.items() if key != "id")
        for number, adapters in tick["adapters"].items():
            self.endpoints[int(number)]["adapters"] = adapters
        for number, ejection in tick["ejections"].items():
            self.endpoints[int(number)]["ejection"] = ejection and ejection["reason"]
        for place, pool in enumerate(tick["pools"]):
            if "models" in pool:
                self.models[place] = pool["models"]
