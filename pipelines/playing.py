"""What `ann playground` does: a model server, and a page on which a person asks it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Iterator, Mapping

import click


def playground(model: str | None, root: str, port: int, host: str, url: str | None, no_browser: bool) -> int:
    """`ann playground`."""
    from serving.errors import ServingError

    models = _models(model, root, url)
    with _listening(host, port) as listener:
        try:
            with _model_server(models, url) as rest_url:
                asyncio.run(_serve(listener, rest_url, models, host, not no_browser and _has_display()))
        except ServingError as error:
            raise click.ClickException(str(error)) from error
    return 0


def _models(model: str | None, root: str, url: str | None) -> Mapping[str, str | None]:
    """Base paths by name; None for a model of which only the server at `url` knows."""
    from serving.model_config import models_of_root

    pushed: dict[str, str | None] = dict(models_of_root(root))
    if model is None:
        if not pushed:
            raise click.ClickException(f"no pushed model under {root}; `ann run MODEL --root {root}` pushes one")
        return pushed
    if model not in pushed and url is None:
        known = f"; pushed are {', '.join(pushed)}" if pushed else ""
        raise click.ClickException(
            f"no pushed model {model} under {root}{known}; `ann run {model} --root {root}` pushes one"
        )
    return {model: pushed.get(model)}


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """The page's socket, taken before any model is loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise click.ClickException(f"{host}, port {port}: {reason}; --port and --host pick others") from error
    with listener:
        yield listener


@contextlib.contextmanager
def _model_server(models: Mapping[str, str | None], url: str | None) -> Iterator[str]:
    """The REST address of the server that the user names, or of one that lives as long as the page."""
    from serving.process import ModelServer

    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise click.BadParameter(f"{url!r}: expected http://HOST:PORT", param_hint="--url")
        yield url
        return
    with ModelServer({name: base for name, base in models.items() if base is not None}) as server:
        yield server.rest_url


async def _serve(
    listener: socket.socket, rest_url: str, models: Mapping[str, str | None], host: str, browser: bool
) -> None:
    """Serves the page until SIGINT or SIGTERM."""
    from aiohttp import web

    from serving.playground.app import application

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(application(rest_url, models, host), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        address = f"http://{shown}:{listener.getsockname()[1]}"
        click.echo(f"playground: {address}")
        sys.stdout.flush()
        if browser:
            await asyncio.to_thread(webbrowser.open, address)
        await stop.wait()
    finally:
        await runner.cleanup()


def _has_display() -> bool:
    """Whether a browser that opens could be seen."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
