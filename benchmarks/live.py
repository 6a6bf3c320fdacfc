"""Live questions over HTTP: how long a view takes, cold and kept, and what stops when nobody waits for it.

    python benchmarks/live.py GENOME [--model tss-yeast] [--places 15] [--report docs/benchmarks/live.md]

Starts ``trackgen serve HUB --model MODEL --genome GENOME -t 2`` on a hub that it makes, and asks as a page does: for a
view the predictions and, after them, the contributions (of models with many classes, of four and to one), at places
that were never looked at (cold), and again (kept). Times are medians over the places, from the question to the last
byte of the answer; reading the JSON is not in them. Beside them stands, measured in the same run, a plain loop of ONNX
Runtime over the same windows: the model's own file, batches of 256 windows, both strands where the model reads both, no
contributions, no server, two threads.

Prints the tables in markdown; with --report they are written into that file, after its text and before its notes.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import onnxruntime
from serve import resident

from trackgen.card import Card, read_card
from trackgen.genome import Genome, open_genome, reverse_complement
from trackgen.resources import find_model

BATCH = 256
THREADS = 2
FEW = 4
"""Classes whose letters a page shows at once."""
VIEWS = ((2000, 1), (10_000, 1), (100_000, 1), (100_000, 100))
BEGIN, END = "<!-- measured -->\n", "<!-- end -->\n"


class Client:
    """One connection that is kept, as a browser keeps it."""

    def __init__(self, address: str) -> None:
        self._place = urlsplit(address)
        self.connect()

    def connect(self) -> None:
        self._connection = http.client.HTTPConnection(str(self._place.hostname), self._place.port, timeout=120)

    def ask(self, name: str, **values: Any) -> tuple[float, bytes]:
        """Seconds until the last byte, and the answer to a GET question."""
        return self._timed("GET", f"/api/v1/{name}?{urlencode(values)}")

    def post(self, name: str, **values: Any) -> tuple[float, bytes]:
        """The same of a POST question."""
        return self._timed("POST", f"/api/v1/{name}", json.dumps(values))

    def leave(self, name: str, seconds: float, **values: Any) -> None:
        """Ask, and close the connection after some time."""
        self._connection.request("POST", f"/api/v1/{name}", json.dumps(values))
        time.sleep(seconds)
        self._connection.close()
        self.connect()

    def _timed(self, method: str, path: str, body: str | None = None) -> tuple[float, bytes]:
        begin = time.perf_counter()
        self._connection.request(method, path, body)
        answer = self._connection.getresponse()
        content = answer.read()
        taken = time.perf_counter() - begin
        if answer.status != 200:
            raise SystemExit(content.decode())
        return taken, content


@contextmanager
def served(genome: Path, model: str) -> Iterator[tuple[str, int]]:
    """The address of a server, and its process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "trackgen", "serve", f"{folder}/hub", "--port", "0", "--model", model]
        command += ["--genome", str(genome), "-t", str(THREADS)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip(), server.pid
        finally:
            server.terminate()
            server.wait(20)


class Loop:
    """Every window of a stretch by the model's own file: the plain way."""

    def __init__(self, model: str, genome: Genome) -> None:
        path = find_model(model)
        self.card: Card = read_card(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._genome = genome
        if [entry.kind for entry in self.card.inputs] != ["sequence"]:
            raise SystemExit(f"{model} reads more than sequence")

    def seconds(self, name: str, start: int, end: int) -> float:
        """How long the windows of [start, end) take."""
        begin = time.perf_counter()
        card = self.card
        pad = (card.window - card.bin) // 2
        for reverse in (False, True) if card.strands != "forward" else (False,):
            codes = self._genome.fetch(name, start - pad, end + card.window)
            windows = np.lib.stride_tricks.sliding_window_view(codes, card.window)[: end - start : card.stride]
            for low in range(0, len(windows), BATCH):
                some = windows[low : low + BATCH]
                some = reverse_complement(some) if reverse else some
                hot = (some[:, None, :] == np.arange(4, dtype=np.uint8)[None, :, None]).astype(np.float32)
                self._session.run(None, {card.inputs[0].graph_name: hot})
        return time.perf_counter() - begin


def places(genome: Genome, bases: int, count: int, seed: int) -> list[tuple[str, int]]:
    """Where views lie: sequences that are long enough, by chance."""
    dice = random.Random(seed)
    names = [name for name, length in genome.lengths.items() if length > 2 * bases]
    return [(name := dice.choice(names), dice.randrange(genome.lengths[name] - bases)) for _ in range(count)]


def processor_seconds(pid: int) -> float:
    """What a process has used of all cores so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ms(times: list[float]) -> float:
    return statistics.median(times) * 1e3


def view_rows(client: Client, loop: Loop, genome: Genome, count: int, pid: int) -> Iterator[list[str]]:
    """Of each size of view: predictions and contributions, cold and kept."""
    unit = ms([loop.seconds(name, start, start + 2000) for name, start in places(genome, 2000, 5, 9)]) / 2000
    model = loop.card.name
    shown = [entry.name for output in loop.card.outputs for entry in output.classes if entry.track]
    few, letters = ({"classes": ",".join(shown[:FEW])}, {"classes": shown[0]}) if len(shown) > FEW else ({}, {})
    for number, (bases, step) in enumerate(VIEWS):
        times: dict[str, list[float]] = {"predictions": [], "contributions": [], "cold": [], "kept": []}
        size, processor = 0, []
        for name, start in places(genome, bases, count if bases <= 10_000 else max(5, count // 3), number):
            place = {"model": model, "chr": name, "start": start, "end": start + bases, "step": step}
            asked = [("predictions", place | few), ("contributions", place | letters)]
            used = processor_seconds(pid)
            first = [client.ask(kind, **values) for kind, values in asked]
            processor.append(processor_seconds(pid) - used)
            again = [client.ask(kind, **values)[0] for kind, values in asked]
            size = sum(len(content) for _, content in first)
            times["predictions"].append(first[0][0])
            times["contributions"].append(first[1][0])
            times["cold"].append(first[0][0] + first[1][0])
            times["kept"].append(sum(again))
        plain = unit * bases
        yield [
            f"{bases:,}", str(step), *(f"{ms(some):.0f}" for some in times.values()),
            f"{statistics.mean(processor) * 1e3:.0f}", f"{size / 1e6:.2f}", f"{plain:,.0f}",
            f"{plain / ms(times['predictions']):.1f}",
        ]  # fmt: skip


def change_rows(client: Client, loop: Loop, genome: Genome, count: int) -> Iterator[list[str]]:
    """What a changed base does, and every change of a base."""
    model = loop.card.name
    shown = next(entry for output in loop.card.outputs for entry in output.classes if entry.track)
    strand = "+" if loop.card.strands == "both" else "."
    first, second, strip, at = (list[float]() for _ in range(4))
    for name, start in places(genome, 2000, count, 77):
        place = {"model": model, "chr": name, "start": start, "end": start + 2000}
        for times, base in ((first, "A"), (second, "C")):
            edits = [{"start": start + 1000, "end": start + 1001, "sequence": base}]
            times.append(client.post("whatif", **place, edits=edits, contributions=[shown.name])[0])
        place |= {"start": start + 900, "end": start + 1100, "class": shown.name, "strand": strand}
        strip.append(client.post("mutagenesis", **place, at=None)[0])
        at.append(client.post("mutagenesis", **place, at=start + 1000)[0])
    yield ["what-if of 2,000 bases, letters of one class, a place never looked at", f"{ms(first):.0f}"]
    yield ["the same place, another base", f"{ms(second):.0f}"]
    yield ["200 bases, every change, its largest effect anywhere", f"{ms(strip):.0f}"]
    yield ["200 bases, every change, its effect at one base", f"{ms(at):.0f}"]


def leaving_row(client: Client, loop: Loop, genome: Genome) -> list[str]:
    """How long the worker goes on when a connection is closed in the midst of work."""
    strand = "+" if loop.card.strands == "both" else "."
    shown = next(entry for output in loop.card.outputs for entry in output.classes if entry.track)
    freed = []
    for name, start in places(genome, 2000, 10, 5):
        place = {"model": loop.card.name, "chr": name, "start": start, "end": start + 10}
        client.ask("predictions", **place)
        usual = statistics.median(client.ask("predictions", **place)[0] for _ in range(5))
        body = place | {"end": start + 400, "class": shown.name, "strand": strand, "at": None}
        client.leave("mutagenesis", 0.2, **body)
        freed.append(client.ask("predictions", **place)[0] - usual)
    return [
        "from a closed connection until the worker is free (longest of 10)",
        f"{max(freed) * 1e3:.0f}",
    ]


async def crowd(address: str, model: str, name: str, pid: int) -> tuple[list[int], float, int]:
    """Statuses of 200 questions at once, seconds until the last, and the most memory meanwhile."""
    place = urlsplit(address)

    async def one(number: int) -> int:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        query = urlencode({"model": model, "chr": name, "start": 500 * number, "end": 500 * number + 20_000})
        writer.write(f"GET /api/v1/predictions?{query} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return int(answer.split(b" ", 2)[1])

    begin, most = time.perf_counter(), 0
    work = asyncio.gather(*(one(number) for number in range(200)))
    while not work.done():
        most = max(most, resident(pid))
        await asyncio.sleep(0.02)
    return await work, time.perf_counter() - begin, most


def crowd_row(address: str, model: str, genome: Genome, pid: int) -> list[str]:
    longest = max(genome.lengths, key=lambda name: genome.lengths[name])
    before = resident(pid)
    statuses, seconds, most = asyncio.run(crowd(address, model, longest, pid))
    counts = [str(statuses.count(status)) for status in (200, 503)]
    others = sum(status not in (200, 503) for status in statuses)
    memory = [f"{size / 1e6:.0f}" for size in (before, most, resident(pid))]
    return [*counts, str(others), f"{seconds:.1f}", *memory]


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table in markdown; columns of numbers stand to the right."""
    lines = [
        heads,
        [":--" if number == 0 and not row_is_number(rows) else "--:" for number in range(len(heads))],
        *rows,
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def row_is_number(rows: list[list[str]]) -> bool:
    return all(re.fullmatch(r"[\d,.]+", row[0]) for row in rows)


def measured(genome_file: Path, model: str, count: int) -> str:
    """The tables of one model."""
    with open_genome(genome_file) as genome, served(genome_file, model) as (address, pid):
        loop, client = Loop(model, genome), Client(address)
        views = list(view_rows(client, loop, genome, count, pid))
        changes = [*change_rows(client, loop, genome, max(5, count // 2)), leaving_row(client, loop, genome)]
        many = crowd_row(address, loop.card.name, genome, pid)
    heads = [
        "bases", "bases a value", "predictions, ms", "contributions, ms", "both, ms", "both, kept, ms", "both, core ms",
        "MB", "window loop, ms", "loop / predictions",
    ]  # fmt: skip
    head = f"### {loop.card.name}\n\nWindow {loop.card.window:,} bp, stride {loop.card.stride}.\n\n"
    crowded = ["answered", "sent away (503)", "others", "seconds", "memory before, MB", "most, MB", "after, MB"]
    return f"{head}{table(heads, views)}\n{table(['question', 'ms'], changes)}\n{table(crowded, [many])}"


def main() -> None:
    """Measure, print the tables, and put them into the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("genome", type=Path)
    parser.add_argument("--model", action="append", help="may be given several times (default tss-yeast)")
    parser.add_argument("--places", type=int, default=15)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    text = "\n".join(measured(options.genome, model, options.places) for model in options.model or ["tss-yeast"])
    print(text)
    if options.report:
        before, _, rest = options.report.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        options.report.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
