"""The floor to compare with: an aiohttp handler that reads the body and answers 202, and a WebSocket that acks."""

import sys

import uvloop
from aiohttp import WSMsgType, web


async def signals(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=202, body=b'{"accepted":1,"duplicates":0,"rejected":[],"warnings":[]}')


async def ws(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    seq = 0
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            seq += 1
            await socket.send_str(f'{{"ack":{seq},"accepted":1,"duplicates":0,"rejected":[]}}')
    return socket


async def ready(request: web.Request) -> web.Response:
    return web.json_response({"queued": 0})


async def main(port: int) -> None:
    import asyncio

    app = web.Application(client_max_size=16_000_000)
    app.router.add_post("/v1/signals", signals)
    app.router.add_get("/v1/ws", ws)
    app.router.add_get("/readyz", ready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
