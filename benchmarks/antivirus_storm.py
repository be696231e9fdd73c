"""Many clients that fetch a whole generation at once: `python -m benchmarks.antivirus_storm VIP COUNT`."""

import asyncio
import json
import sys
import time

_RING, _LIMIT_S = "/ring.json", 60.0


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> bytes:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: av\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head[:16]:
        raise OSError(f"{path}: {head[:40]!r}")
    return await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))


async def _client(address: str) -> int:
    """Fetch as a new client does; return how many bytes came."""
    reader, writer = await asyncio.open_connection(address, 80)
    ring = await _get(reader, writer, _RING)
    directory = f"/generations/{json.loads(ring)['generation']:08d}"
    manifest = await _get(reader, writer, f"{directory}/manifest.json")
    fetched = len(ring) + len(manifest)
    for file in json.loads(manifest)["files"]:
        fetched += len(await _get(reader, writer, f"{directory}/{file['name']}"))
    writer.close()
    return fetched


async def _storm(address: str, count: int) -> None:
    begun = time.monotonic()
    async with asyncio.timeout(_LIMIT_S):
        found = await asyncio.gather(*(_client(address) for _ in range(count)), return_exceptions=True)
    good = [each for each in found if isinstance(each, int)]
    seconds = time.monotonic() - begun
    print(f"{len(good)} of {count} clients have fetched {sum(good) / 1e6:.0f} MB within {seconds:.1f} s")


if __name__ == "__main__":
    asyncio.run(_storm(sys.argv[1], int(sys.argv[2])))
