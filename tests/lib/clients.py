#!/usr/bin/env python3
"""Debian's python3-socketio through the scenario `echo` of clients.mjs, against the conformance server.

    clients.py URL TRANSPORTS
"""
import queue
import sys

import socketio

DEADLINE_S = 20
ARGS = [1, "zwei é😀", {"three": [None, True, 0.5]}]
BYTES = bytes([0, 1, 2, 254, 255])


class Desk:
    """A client whose events wait in queues until they are asked for."""

    def __init__(self, url, transports, namespace="/", wait_s=DEADLINE_S):
        self.events = {}
        self.namespace = namespace
        self.client = socketio.Client(reconnection=False)
        for event in ("auth", "message-back"):
            self.client.on(event, self.keep(event), namespace=namespace)
        self.client.connect(url, transports=transports, namespaces=[namespace], wait_timeout=wait_s)

    def keep(self, event):
        self.events[event] = queue.Queue()
        return lambda *args: self.events[event].put(list(args))

    def next(self, event):
        return self.events[event].get(timeout=DEADLINE_S)

    def emit(self, *args):
        self.client.emit("message", args, namespace=self.namespace)
        return self.next("message-back")

    def ask(self, *args):
        return self.client.call("message-with-ack", args, namespace=self.namespace, timeout=DEADLINE_S)


def exchange(desk):
    assert desk.emit(*ARGS) == ARGS
    assert desk.emit({"deep": [BYTES]}, BYTES[2:]) == [{"deep": [BYTES]}, BYTES[2:]]
    assert list(desk.ask(*ARGS)) == ARGS
    assert desk.ask(BYTES) == BYTES


def main():
    url, transports = sys.argv[1], sys.argv[2].split(",")
    desk = Desk(url, transports)
    assert desk.next("auth") == [{}]
    exchange(desk)
    assert desk.client.transport() == transports[-1]

    custom = Desk(url, transports, "/custom")
    exchange(custom)
    custom.client.disconnect()
    try:
        Desk(url, transports, "/nope", 1)  # this version waits so long for the other namespaces
        raise AssertionError("/nope was not refused")
    except socketio.exceptions.ConnectionError:
        pass

    # a response of more than 16 packets would end this client
    for number in range(100):
        desk.client.emit("message", (number,))
    assert [desk.next("message-back")[0] for _ in range(100)] == list(range(100))
    desk.client.disconnect()
    print(f"echo python {sys.argv[2]}: ok")


main()
