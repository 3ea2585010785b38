"""The page's server: six fixed files, and an API that hands requests on to the model server.

The model server allows no other origin, so the page asks here. No path of a request is ever looked up on disk.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from serving.playground import describe

MAX_BODY_BYTES = 20 << 20
ANSWER_SECONDS = 60.0
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/table.js": ("table.js", "text/javascript"),
    "/mask.js": ("mask.js", "text/javascript"),
    "/translation.js": ("translation.js", "text/javascript"),
    "/page.js": ("page.js", "text/javascript"),
}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(rest_url: str, models: Mapping[str, str | None], host: str = "127.0.0.1") -> web.Application:
    """Returns the application.

    Args:
        rest_url: the model server's REST address.
        models: base paths by the model's name, None for a model that is known to the server alone.
        host: the address that the page is served at.
    """
    playground = _Playground(rest_url.rstrip("/"), models)
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_guard(host)])
    for path, (name, content_type) in _FILES.items():
        app.router.add_get(path, _file(name, content_type))
    app.router.add_get("/api/models", playground.list)
    app.router.add_post("/api/models/{name}/predict", playground.predict)
    app.cleanup_ctx.append(playground.connections)
    return app


def allowed(header: str, host: str) -> bool:
    """Whether a Host header names this server; a foreign name that resolves to us (DNS rebinding) does not.

    Args:
        header: "name", "name:port" or "[address]:port".
        host: the address that is listened at.
    """
    name = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() and not header.endswith("]") else header
    name = name.strip("[]").lower()
    if name in _LOOPBACK or name == host.lower():
        return True
    return _is_address(name) and _is_address(host) and ipaddress.ip_address(host).is_unspecified


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _guard(host: str) -> Any:
    """The middleware that turns away foreign hosts, makes every error JSON, and sets the headers."""

    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not allowed(request.headers.get("Host", ""), host):
            response: web.StreamResponse = _error(403, "this host name is not served here; use the printed address")
        else:
            try:
                response = await handler(request)
            except web.HTTPRequestEntityTooLarge:
                response = _error(413, f"the request is larger than {MAX_BODY_BYTES >> 20} MB")
            except web.HTTPException as error:
                response = _error(error.status, error.reason)
        response.headers.update(HEADERS)
        return response

    return guard


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)


def _file(name: str, content_type: str) -> _Handler:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type)

    return answer


class _Playground:
    """Answers the API."""

    def __init__(self, rest_url: str, models: Mapping[str, str | None]) -> None:
        self._url, self._models = rest_url, dict(models)

    async def connections(self, app: web.Application) -> Any:
        """Holds the connections to the model server for as long as the application runs."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            yield

    async def list(self, request: web.Request) -> web.Response:
        """Every model with its served version and its inputs, or with the error that keeps it from serving."""
        found = [await self._describe(name, base) for name, base in self._models.items()]
        return web.json_response({"models": found})

    async def predict(self, request: web.Request) -> web.Response:
        """Hands the body on as it is, and the answer back as it is."""
        name = request.match_info["name"]
        if name not in self._models:
            return _error(404, f"no model {name!r}; the models are {', '.join(self._models)}")
        # A foreign page cannot send this type without asking first, which nobody answers.
        if request.content_type != "application/json":
            return _error(415, f"Content-Type {request.content_type!r}: send application/json")
        try:
            async with self._session.post(f"{self._model_url(name)}:predict", data=await request.read()) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return _error(502, self._unreachable(error))
        return web.Response(body=body, status=answer.status, content_type="application/json")

    def _model_url(self, name: str) -> str:
        return f"{self._url}/v1/models/{name}"

    def _unreachable(self, error: BaseException) -> str:
        return f"the model server at {self._url} does not answer: {error or type(error).__name__}"

    async def _get(self, url: str) -> dict[str, Any]:
        async with self._session.get(url) as answer:
            document = json.loads(await answer.read())
        if answer.status != 200:
            raise ValueError(document.get("error", f"HTTP status {answer.status}"))
        return dict(document)

    async def _describe(self, name: str, base: str | None) -> dict[str, Any]:
        url = self._model_url(name)
        about: dict[str, Any] = {"name": name, "url": f"{url}:predict"}
        try:
            states = (await self._get(url)).get("model_version_status", [])
            serving = [state["version"] for state in states if state["state"] == "AVAILABLE"]
            if not serving:
                raise ValueError("no version is available")
            version = max(serving, key=int)
            described = describe.from_export(base, version) if base else None
            if described is None:
                described = describe.from_metadata(await self._get(f"{url}/metadata"))
        except (aiohttp.ClientError, TimeoutError) as error:
            return {**about, "error": self._unreachable(error)}
        except ValueError as error:
            return {**about, "error": str(error)}
        return {**about, "version": version, **described}
