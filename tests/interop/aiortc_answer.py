"""For each line of input, an offer as a JSON string: aiortc's answer, or its error, as a line of JSON."""

import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription


async def answer(sdp):
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        await connection.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
        return {"answer": (await connection.createAnswer()).sdp}
    except Exception as error:  # whatever it is, the engine does not take the offer
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        await connection.close()


async def main():
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await answer(json.loads(line))), flush=True)


asyncio.run(main())
