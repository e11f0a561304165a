"""A slixmpp client that does what it is told on stdin, and shows what comes on stdout.

Both speak lines of JSON: {"send": XML} and {"subscribe": JID} in, {"ready": JID} and {"got": XML}
out. Requests for subscription are granted, and not returned.
"""
import asyncio
import json
import sys

import slixmpp


class Client(slixmpp.ClientXMPP):
    def __init__(self, jid, password):
        super().__init__(jid, password)
        self.auto_authorize = True
        self.auto_subscribe = False
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0115")
        self.add_filter("in", self.show)
        self.add_event_handler("session_start", self.begin)
        self.add_event_handler("failed_all_auth", lambda _: sys.exit("not let in"))

    async def begin(self, _):
        self.send_presence()
        await self.get_roster()
        say(ready=self.boundjid.full)

    def show(self, stanza):
        say(got=str(stanza))
        return stanza


def say(**words):
    print(json.dumps(words), flush=True)


async def main(jid, password, port, authority):
    client = Client(jid, password)
    client.ca_certs = authority
    client.connect("127.0.0.1", int(port))
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        command = json.loads(line)
        if "send" in command:
            client.send_raw(command["send"])
        elif "subscribe" in command:
            client.send_presence_subscription(pto=command["subscribe"])
    await client.disconnect()


asyncio.run(main(*sys.argv[1:]))
