"""A DNS server over UDP and TCP on a free port of 127.0.0.1, which is its first line of output. Each
line of its input is a zone as JSON text, which replaces the one before; it answers "ok". It lives as
long as its input is open."""

import json
import sys

from dnslib.server import DNSLogger, DNSServer
from dnslib.zoneresolver import ZoneResolver


class Resolver(ZoneResolver):
    # What is longer goes over TCP (RFC 1035, 4.2.1). The package's own way of cutting an answer off
    # takes the question out of it as well, as no server does.
    def resolve(self, request, handler):
        reply = super().resolve(request, handler)
        if handler.protocol == "udp" and len(reply.pack()) > 512:
            reply.rr = []
            reply.header.tc = 1
        return reply


zone = Resolver("")
silent = DNSLogger("-request,-reply,-truncated,-error")
udp = DNSServer(zone, address="127.0.0.1", port=0, logger=silent)
port = udp.server.server_address[1]
tcp = DNSServer(zone, address="127.0.0.1", port=port, tcp=True, logger=silent)
for server in (udp, tcp):
    server.start_thread()
print(port, flush=True)
for line in sys.stdin:
    zone.zone = Resolver(json.loads(line)).zone
    print("ok", flush=True)
