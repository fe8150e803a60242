"""A process with the workers of bare workflows, until its standard input ends.

`python -m bench.programs.bare_worker ADDRESS QUEUE`.

No import of daper, as in `bench.bare`.
"""

import asyncio
import os
import sys

from temporalio.client import Client

from bench.bare import bare_workers

READY = "Worker ready on"


async def main(address: str, queue: str) -> None:
    """Work until nobody listens any more."""
    async with bare_workers(await Client.connect(address), queue):
        print(f"{READY}: {queue}", file=sys.stderr, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
