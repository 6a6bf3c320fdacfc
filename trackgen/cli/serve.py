"""``trackgen serve``: the local browser page of a hub."""

from __future__ import annotations

import getpass
import ipaddress
import shlex
import socket
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit

import click

from trackgen.cli.options import NamedFile, threads_option
from trackgen.cli.serve_live import LIVE_PAGE, LiveOptions, live_over
from trackgen.errors import UsageError
from trackgen.serve import DEFAULT_PORT, Overlay, absent_browsers, check_root, serve


@click.command()
@click.argument("root", metavar="HUB", type=click.Path(path_type=Path))
@click.option(
    "--port",
    metavar="P",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="The port to listen on, or the next free one above it; 0 takes any.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; 0.0.0.0 shows the hub to the network.",
)
@click.option(
    "--root-path",
    metavar="PATH",
    default="",
    help="The path below which a proxy shows the server, such as /user/me/proxy/8765, where the proxy leaves it in.",
)
@click.option(
    "--genes",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Genes to show and to search by name: GTF, GFF3 or BED, plain or gzip; the hub stays as it is.",
)
@click.option(
    "--model", metavar="MODEL", multiple=True,
    help="Predict what is looked at with this model: a file, or the name of a shipped one; may be given several times.",
)  # fmt: skip
@click.option(
    "--genome",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="FASTA or 2bit that the models read, the hub's own sequence if it carries one; HUB is made of it where there "
    "is none yet.",
)
@click.option(
    "--signal", metavar="NAME=FILE", multiple=True, type=NamedFile(),
    help="BigWig, or reads, of a model's signal input.",
)  # fmt: skip
@click.option(
    "--device", metavar="auto|cpu|cuda[:N]", default="auto", show_default=True, help="What the models run on."
)
@threads_option
@click.option(
    "--open", "open_page", envvar="TRACKGEN_SERVE_OPEN", is_flag=True, help="Open the page in the web browser."
)
def command(
    root: Path, port: int, host: str, root_path: str, genes: Path | None, model: tuple[str, ...], genome: Path | None,
    signal: tuple[tuple[str, Path], ...], device: str, threads: int | None, open_page: bool,
) -> None:  # fmt: skip
    """Show the hub in the folder HUB in a web browser, until Ctrl-C; with --model, predict what is looked at."""
    api, page = None, ""
    if model:
        live = live_over(root, host, LiveOptions(model, genome, signal, device, threads))
        api, page = live.api, LIVE_PAGE
    elif genome is not None or signal:
        what = "--genome" if genome is not None else "--signal"
        raise UsageError("the option is for models, of which there is none", place=what, wanted="--model beside it")
    check_root(root)
    overlay = overlay_of(root, genes)
    if model:
        overlay = overlay.over(live.overlay)

    def tell(address: str) -> None:
        tell_address(address + page, port, root, host)
        if open_page:
            webbrowser.open(address + page)

    serve(root, host=host, port=port, on_ready=tell, root_path=root_path, overlay=overlay, api=api)


def overlay_of(root: Path, genes: Path | None) -> Overlay:
    """What is shown over the files of the hub `root`: the genes of an annotation, if one is given."""
    if genes is None:
        return Overlay()
    from trackgen.hub.served_genes import genes_over

    added = genes_over(root, genes)
    click.echo(added.note, err=True)
    return Overlay(added.files, added.edits)


def tell_address(address: str, port: int, root: Path, host: str = "127.0.0.1") -> None:
    """The address on stdout; on stderr how to reach it from elsewhere, and what to know of it.

    Args:
        port: the one that was asked for; 0 for any.
        host: what the server listens on.
    """
    click.echo(address)
    found = urlsplit(address)
    if port and found.port != port:
        click.echo(f"port {port} is in use, so this is port {found.port}", err=True)
    listening = _ip_address(host)
    if listening.is_loopback:
        click.echo(
            "from another computer: "
            f"ssh -N -L {shlex.quote(f'{found.port}:{found.netloc}')} {getpass.getuser()}@{socket.gethostname()}, "
            "then the same address",
            err=True,
        )
    else:
        named = f"http://{socket.gethostname()}:{found.port}{found.path}"
        reached = named if listening.is_unspecified else address
        click.echo(f"everyone on the network can read the hub, at {reached}", err=True)
    for code in absent_browsers(root):
        click.echo(
            f"{code.title} is not installed here (make assets), so the page loads it from {code.address}", err=True
        )
    click.echo("Ctrl-C ends the server", err=True)


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """What the name of a host that is listened on stands for."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]
    return ipaddress.ip_address(found)
