"""`umml serve`: a page that answers."""

from __future__ import annotations

import ipaddress
import signal
import socket
from pathlib import Path
from typing import Annotated

import typer

from umml_cli.commands.search_options import BackendChoice, BackendOption, IndexOption, NprobeOption
from umml_cli.console import make_console, print_notes


def serve(
    model: Annotated[Path, typer.Argument(help="A model with an index in its folder, or an index.")],
    index: IndexOption = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 127.0.0.1 is this computer only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    max_upload: Annotated[float, typer.Option(min=0.01, help="Largest uploaded picture, in MB.")] = 10,
    max_pixels: Annotated[int, typer.Option(min=1, help="Most pixels of an uploaded picture.")] = 40_000_000,
    max_requests: Annotated[
        float, typer.Option(min=0.1, help="Searches per second and client, in bursts of up to twice as many.")
    ] = 20,
    backend: BackendOption = BackendChoice.EXACT,
    nprobe: NprobeOption = None,
) -> None:
    """Serve a page on which an index is searched by words, by a picture, or by one of its items.

    Ctrl-C ends it after the requests in progress. The page loads nothing from the internet.

    Example: umml serve runs/abc

    Example: umml serve model --index photos.index --port 9000
    """
    import uvicorn

    from umml_cli.errors import UserError
    from umml_cli.search.limits import Limits
    from umml_cli.search.open_searcher import open_searcher
    from umml_cli.search.server import make_app, warm_up

    console = make_console(soft_wrap=True)
    searcher = open_searcher(model, index, backend=backend.value, probes=nprobe)
    unable = warm_up(searcher)
    print_notes(console, [f"no {side} queries: {why}" for side, why in unable.items() if why])
    if searcher.approximate is not None:
        print_notes(console, [searcher.says])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(
            f"Nothing can listen on {host} port {port} ({error.strerror or error}); "
            "choose another --port or --host."
        ) from None
    address = f"[{host}]" if ":" in host else host
    loopback = is_loopback(host)
    hosts = ["localhost", "127.0.0.1", "[::1]", address] if loopback else ["*"]
    limits = Limits(requests=max_requests, upload=int(max_upload * (1 << 20)), pixels=max_pixels)
    app = make_app(searcher, limits=limits, hosts=hosts, unable=unable)
    if not loopback:
        print_notes(
            console,
            [f"whoever reaches {host} can search and see this collection, without a password."],
        )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # uvicorn ends by both, then raises them once more
    config = uvicorn.Config(
        app, log_level="warning", limit_concurrency=64, timeout_keep_alive=10, timeout_graceful_shutdown=10,
        server_header=False,
    )  # fmt: skip
    console.print(
        f"{len(searcher.index)} items on http://{address}:{listening.getsockname()[1]} (Ctrl-C ends)"
    )
    with listening:
        uvicorn.Server(config).run(sockets=[listening])
    console.print("Ended.")


def is_loopback(host: str) -> bool:
    """Whether only this computer reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
