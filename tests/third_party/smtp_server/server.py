"""An SMTP server that tells of what it takes, a line of JSON an e-mail, until its input ends.

Asks for a user and a password. Takes nothing for now for addresses that begin with "later", and
nothing for good for those that begin with "never".
"""

import asyncio
import email
import email.policy
import json
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def tell(**said):
    print(json.dumps(said), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("later"):
            return "451 4.3.0 not now"
        if address.startswith("never"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = message.get_body(preferencelist=("plain",))
        tell(
            event="taken",
            recipients=envelope.rcpt_tos,
            sender=envelope.mail_from,
            message_id=message["Message-ID"],
            subject=message["Subject"],
            text=body.get_content(),
            attachments=[
                {
                    "name": part.get_filename(),
                    "type": part.get_content_type(),
                    "begins": part.get_content()[:5].decode(),
                }
                for part in message.iter_attachments()
            ],
        )
        return "250 OK"


def authenticate(server, session, envelope, mechanism, given):
    expected = LoginPassword(b"heliograph", b"secret")
    return AuthResult(success=given == expected, handled=False)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(
            Handler(),
            authenticator=authenticate,
            auth_required=True,
            auth_require_tls=False,
        ),
        "127.0.0.1",
        0,
    )
    tell(event="listening", port=server.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
