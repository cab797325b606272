#!/usr/bin/env python3
"""Usage: demo_agent.py SOCKET.  Answer everyone who connects, as ssh-agent does."""

import os
import socket
import sys

directory, name = os.path.split(sys.argv[1])
os.chdir(directory)  # the address of a Unix socket holds 108 bytes only: unix(7)
with socket.socket(socket.AF_UNIX) as server:
    server.bind(name)
    server.listen()
    while True:
        client, _ = server.accept()
        with client:
            client.sendall(b"at your service")
