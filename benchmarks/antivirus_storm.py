"""Many clients that wait for a new generation, and fetch the same parts of it as an agent.

    python -m benchmarks.antivirus_storm VIP COUNT

Prints `waiting` when all of them wait, and one line when the last one has reported.
"""

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass

from common import entry

_LIMIT_S = 120.0
_REPORT = b'{"format": 1, "client": "%08d", "host": "storm", "kind": "client"}'
_OPENED_AT_ONCE = 50


@dataclass(slots=True)
class Answer:
    head: bytes
    body: bytes

    @property
    def spread_s(self) -> float:
        return float(self.head.partition(b"x-postern-spread: ")[2].partition(b"\r\n")[0] or 0)


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, path: str, first: int = 0, body: bytes = b"") -> Answer:
        lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", "Host: av"]
        lines += [f"Range: bytes={first}-"] if first else []
        lines += [f"Content-Length: {len(body)}"] if body else []
        self._writer.write("\r\n".join((*lines, "", "")).encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if head[9:12] not in (b"200", b"206", b"204"):
            raise OSError(f"{path}: {head[:40]!r}")
        size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        return Answer(head, await self._reader.readexactly(size))

    def close(self) -> None:
        self._writer.close()


class Storm:
    def __init__(self, address: str, count: int) -> None:
        self._address, self._count = address, count
        self._waiting, self._told_at = 0, 0.0
        self._door = asyncio.Semaphore(_OPENED_AT_ONCE)
        self._serial = 0
        self._has: dict[str, tuple[int, str]] = {}  # bytes and SHA-256 of each file

    async def run(self) -> None:
        await self._look()
        async with asyncio.timeout(_LIMIT_S):
            found = await asyncio.gather(*map(self._client, range(self._count)), return_exceptions=True)
        good = [each for each in found if isinstance(each, int)]
        seconds = time.monotonic() - self._told_at
        print(
            f"{len(good)} of {self._count} clients have fetched {sum(good) / 1e6:.1f} MB "
            f"within {seconds:.1f} s after the first notification"
        )

    async def _look(self) -> None:
        """The clients' present files: their sizes."""
        connection = await self._connect()
        ring = json.loads((await connection.ask("/ring.json")).body)
        path = f"/generations/{ring['generation']:08d}/manifest.json"
        files = json.loads((await connection.ask(path)).body)["files"]
        self._serial = ring["serial"]
        self._has = {file["name"]: (file["bytes"], file["sha256"]) for file in files}
        connection.close()

    async def _connect(self) -> Connection:
        async with self._door:
            return Connection(*await asyncio.open_connection(self._address, 80))

    async def _client(self, number: int) -> int:
        """Wait, fetch and report as `services.antivirus.agent` does; return how many bytes came."""
        connection = await self._connect()
        self._waiting += 1
        if self._waiting == self._count:
            print("waiting", flush=True)
        while b" 204 " in (told := await connection.ask(f"/v1/wait?serial={self._serial}")).head[:16]:
            pass
        connection.close()
        self._told_at = self._told_at or time.monotonic()
        await asyncio.sleep(random.uniform(0, told.spread_s))
        fetched = await self._fetch()
        connection = await self._connect()
        await connection.ask("/v1/report", body=_REPORT % number)
        connection.close()
        return fetched

    async def _fetch(self) -> int:
        connection = await self._connect()
        ring = await connection.ask("/ring.json")
        directory = f"/generations/{json.loads(ring.body)['generation']:08d}"
        manifest = await connection.ask(f"{directory}/manifest.json")
        answers = [ring, manifest]
        for path in ("/ring.json.minisig", f"{directory}/manifest.json.minisig"):
            answers.append(await connection.ask(path))
        for file in json.loads(manifest.body)["files"]:
            name = file["name"]
            size, sha256 = self._has.get(name, (0, ""))
            if file["sha256"] != sha256:
                first = size if size < file["bytes"] else 0
                answers.append(await connection.ask(f"{directory}/{name}", first))
        connection.close()
        return sum(len(answer.head) + len(answer.body) for answer in answers)


def main() -> None:
    asyncio.run(Storm(sys.argv[1], int(sys.argv[2])).run())


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("benchmarks.antivirus_storm", main)


if __name__ == "__main__":
    sys.exit(run())
