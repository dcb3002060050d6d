"""
Passes TCP connections on, every byte later by the same time, each way.

``delay_proxy.py SECONDS PORT:TARGET_PORT ...``, all on loopback. Only data is late: to connect
takes no time, as it is done before the proxy knows of it. Many connections are thus cheaper here
than over a distance.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial

_CHUNK = 64 * 1024
# Chunks under way on one connection: more than a blob's reader takes in that time.
_UNDER_WAY = 64

_Queue = asyncio.Queue[tuple[float, bytes]]


async def serve(delay: float, routes: list[tuple[int, int]]) -> None:
    """Listen on the first port of each route and pass on to the second, until cancelled."""
    async with asyncio.TaskGroup() as group:
        for port, target in routes:
            server = await asyncio.start_server(partial(_pass_on, delay, target), "127.0.0.1", port)
            group.create_task(server.serve_forever())


async def _pass_on(
    delay: float, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)
    try:
        async with asyncio.TaskGroup() as group:
            for start, end in ((reader, there_writer), (there_reader, writer)):
                queue: _Queue = asyncio.Queue(_UNDER_WAY)
                group.create_task(_read(start, queue, delay))
                group.create_task(_write(queue, end))
    except* ConnectionError:
        pass  # one side has gone: so does the other
    finally:
        there_writer.close()
        writer.close()


async def _read(reader: asyncio.StreamReader, queue: _Queue, delay: float) -> None:
    """Queue what comes with the time when it is due; the last is empty, for the end."""
    data = b"-"
    while data:
        try:
            data = await reader.read(_CHUNK)
        except ConnectionError:
            data = b""
        await queue.put((asyncio.get_running_loop().time() + delay, data))


async def _write(queue: _Queue, writer: asyncio.StreamWriter) -> None:
    while True:
        due, data = await queue.get()
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        if not data:
            break
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def main(arguments: list[str]) -> None:
    """Serve as the arguments say."""
    delay, *routes = arguments
    pairs = [(int(port), int(target)) for port, _, target in (x.partition(":") for x in routes)]
    asyncio.run(serve(float(delay), pairs))


if __name__ == "__main__":
    main(sys.argv[1:])
