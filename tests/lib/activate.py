#!/usr/bin/env python3
"""Starts a program with listening sockets as systemd passes them, sd_listen_fds(3).

    activate.py [NAME=ADDRESS]… -- PROGRAM [ARGUMENT]…

ADDRESS is the path of a Unix socket, or a port on 127.0.0.1 (0 for a free one).
"""
import os
import socket
import sys

FIRST = 3


def listening(address):
    """A socket that listens there."""
    if address.isdigit():
        sock = socket.create_server(("127.0.0.1", int(address)))
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(address)
        sock.listen()
    return sock


def main():
    """Numbers the descriptors from FIRST on and becomes the program."""
    split = sys.argv.index("--")
    names, addresses = zip(*(word.split("=", 1) for word in sys.argv[1:split]))
    sockets = [listening(address) for address in addresses]
    high = [os.dup2(sock.fileno(), 100 + i) for i, sock in enumerate(sockets)]
    for i, fd in enumerate(high):
        os.dup2(fd, FIRST + i)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)), LISTEN_FDNAMES=":".join(names))
    os.execv(sys.argv[split + 1], sys.argv[split + 1:])


main()
