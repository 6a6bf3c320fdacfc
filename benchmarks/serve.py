"""``trackgen serve`` under many readers: speed, latency and memory of the server, every byte compared with the file.

    python benchmarks/serve.py [HUB] [--clients 64] [--seconds 60] [--processes 2]

Each client keeps one connection and asks, one after the other, for ranges of a BigWig as genome browsers do: the
header (64 bytes), then pieces of 256 bytes to 256 KiB anywhere in the file. HUB is a folder with hub.txt and BigWigs;
without it one of four files of 16 MiB is made. Clients share the machine with the server: what is measured is both.

Prints a table in markdown. Memory is the server's resident set; ends with status 1 after any error.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from processes import print_head, print_row

HEADER = 64
SMALLEST, LARGEST = 8, 18
"""Powers of two: bytes of a piece."""
SETTLED = 10.0
"""Seconds after which the server has made everything that it keeps."""
COLUMNS = (
    "clients", "seconds", "requests", "errors", "requests/s", "MB/s", "p50, ms", "p99, ms", "longest, ms",
    "memory at the start, MB", "after 10 s, MB", "at the end, MB",
)  # fmt: skip


@dataclass
class Count:
    """What clients have seen: seconds that each request took, bytes, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    bytes: int = 0
    errors: list[str] = field(default_factory=list)

    def add(self, other: Count) -> None:
        self.seconds += other.seconds
        self.bytes += other.bytes
        self.errors += other.errors


def make_hub(folder: Path, files: int, size: int) -> Path:
    """A folder that the server takes for a hub, with files of `size` random bytes each."""
    (folder / "hub.txt").write_text("hub benchmark\n")
    for number in range(files):
        (folder / f"{number}.bw").write_bytes(random.Random(number).randbytes(size))
    return folder


def tracks_of(hub: Path) -> list[Path]:
    """The files of `hub` that clients read."""
    found = sorted(path for path in hub.glob("*.bw") if path.stat().st_size > HEADER)
    if not found:
        raise SystemExit(f"{hub} holds no BigWig")
    return found


async def ask(
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], name: str, start: int, end: int
) -> tuple[int, bytes]:
    """Status and body of the answer to a request for the bytes from `start` up to `end` (0-based, half-open)."""
    reader, writer = streams
    request = f"GET /{quote(name)} HTTP/1.1\r\nHost: localhost\r\nRange: bytes={start}-{end - 1}\r\n\r\n"
    writer.write(request.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.split("\r\n")
    headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return int(status.split()[1]), await reader.readexactly(int(headers["content-length"]))


async def read(address: str, tracks: list[Path], until: float, seed: int, count: Count) -> None:
    """One client: a connection of its own, ranges until the clock says `until`."""
    dice = random.Random(seed)
    place = urlsplit(address)
    track = dice.choice(tracks)
    size = track.stat().st_size
    streams = await asyncio.open_connection(place.hostname, place.port)
    descriptor = os.open(track, os.O_RDONLY)
    start, length = 0, HEADER
    try:
        while time.monotonic() < until:
            end = min(start + length, size)
            began = time.perf_counter()
            status, body = await ask(streams, track.name, start, end)
            count.seconds.append(time.perf_counter() - began)
            count.bytes += len(body)
            if status != 206 or body != os.pread(descriptor, end - start, start):
                count.errors.append(f"{track.name} {start}-{end}: status {status}, {len(body)} bytes")
            start, length = dice.randrange(size), 1 << dice.randint(SMALLEST, LARGEST)
    except Exception as error:  # any kind counts, and is shown
        count.errors.append(f"{track.name}: {type(error).__name__}: {error}")
    finally:
        os.close(descriptor)
        streams[1].close()


async def read_all(address: str, tracks: list[Path], until: float, seeds: range) -> Count:
    """Clients of one process, side by side."""
    count = Count()
    await asyncio.gather(*(read(address, tracks, until, seed, count) for seed in seeds))
    return count


def run_clients(address: str, tracks: list[Path], until: float, seeds: range) -> Count:
    """Clients of one process; what `multiprocessing` calls."""
    return asyncio.run(read_all(address, tracks, until, seeds))


def resident(process: int) -> int:
    """Bytes of memory that a process holds now."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def measure(hub: Path, clients: int, seconds: float, processes: int) -> tuple[Count, list[int]]:
    """Serve `hub` to `clients` for `seconds`; also the server's memory at the start, after 10 s and at the end."""
    tracks = tracks_of(hub)
    command = [sys.executable, "-m", "trackgen", "serve", str(hub), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        memory = [resident(server.pid)]
        until = time.monotonic() + seconds
        shares = [range(number, clients, processes) for number in range(processes)]
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            waiting = pool.starmap_async(run_clients, [(address, tracks, until, share) for share in shares])
            waiting.wait(min(SETTLED, seconds / 2))
            memory.append(resident(server.pid))
            counts = waiting.get()
        memory.append(resident(server.pid))
    finally:
        server.terminate()
        server.wait(20)
    total = Count()
    for count in counts:
        total.add(count)
    return total, memory


def row(count: Count, memory: list[int], clients: int, seconds: float) -> list[str]:
    """The cells of the table."""
    ordered = sorted(count.seconds)
    times = [ordered[min(int(len(ordered) * part), len(ordered) - 1)] * 1e3 for part in (0.5, 0.99, 1)]
    return [
        str(clients),
        f"{seconds:g}",
        f"{len(ordered):,}",
        str(len(count.errors)),
        f"{len(ordered) / seconds:,.0f}",
        f"{count.bytes / seconds / 1e6:.0f}",
        *(f"{value:.1f}" for value in times),
        *(f"{size / 1e6:.1f}" for size in memory),
    ]


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hub", type=Path, nargs="?")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=2, help="that the clients are spread over (default 2)")
    parser.add_argument("--size", type=int, default=16, help="MiB of each file that is made (default 16)")
    return parser.parse_args()


def main() -> int:
    """Measure, print the table; 1 after any error."""
    options = parsed_options()
    with tempfile.TemporaryDirectory() as folder:
        hub = options.hub or make_hub(Path(folder), 4, options.size << 20)
        count, memory = measure(hub, options.clients, options.seconds, options.processes)
    for error in count.errors[:10]:
        print(error, file=sys.stderr)
    print_head(COLUMNS)
    print_row(row(count, memory, options.clients, options.seconds))
    return 1 if count.errors or not count.seconds else 0


if __name__ == "__main__":
    sys.exit(main())
