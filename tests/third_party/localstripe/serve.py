"""localstripe on a free port of 127.0.0.1, which is its first line of output. It lives as long as
its standard input is open."""

import os
import socket
import sys
import threading

from aiohttp import web
from localstripe import resources, server

# Its memory is its own: without this all instances on a machine share a file in /tmp.
resources.Store.dump_to_disk = lambda self: None


def wait_for_the_end():
    sys.stdin.read()
    os._exit(0)


sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sock.bind(("127.0.0.1", 0))
threading.Thread(target=wait_for_the_end, daemon=True).start()
print(sock.getsockname()[1], flush=True)
web.run_app(server.app, sock=sock, print=None, access_log=None)
