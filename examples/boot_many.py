"""Boot many ISOs in one event loop, two at a time: python boot_many.py LOG_ROOT ISO..."""

import asyncio
import sys

import hiperiso


async def main(log_root: str, isos: list[str]) -> None:
    """Boot them all, and print a line for each in the order given."""
    two = asyncio.Semaphore(2)

    async def boot(iso: str) -> hiperiso.Session:
        async with two:
            return await hiperiso.boot_async(iso, log_root=log_root, ram="256", timeout=60)

    for iso, session in zip(isos, await asyncio.gather(*map(boot, isos)), strict=True):
        print(f"{session.result:<10} {session.stage:<10} {iso}: {session.cause}")


asyncio.run(main(sys.argv[1], sys.argv[2:]))
