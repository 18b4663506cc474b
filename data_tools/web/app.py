"""The addresses that the page calls. Everything lies below the invitation's token."""

from __future__ import annotations

import json
import secrets
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from data_tools.web.speakers import Speaker
from data_tools.web.studio import Studio
from data_tools.web.upload import RefusedError, largest_bytes, receive

PAGE = Path(__file__).parent / "page"
COOKIE = "__Host-speaker"  # the prefix makes browsers insist on Secure, this host and path /
COOKIE_MAX_AGE_S = 30 * 24 * 3600
LARGEST_JSON_BYTES = 8_192
UPLOADS_AT_ONCE = 8  # bounds the memory

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
NOT_HERE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>wakeword</title>
<p>There is nothing here. An invitation ends when the host stops the program: please scan the code
that the host shows now.</p>
<p lang="ko">이 주소에는 아무것도 없습니다. 초대한 사람이 프로그램을 끄면 초대도 끝납니다.
지금 화면에 보이는 코드를 다시 찍어 주세요.</p></html>"""


def make_app(studio: Studio, token: str) -> ASGIApp:
    """The page for whoever knows the token, and for everybody else nothing."""
    return _Guard(_Pages(studio).routes(), token)


class _Pages:
    """The handlers. They receive and answer; what is allowed and done is the studio's matter."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self._uploads = anyio.CapacityLimiter(UPLOADS_AT_ONCE)

    def routes(self) -> Starlette:
        api = [
            Route("/state", self.state),
            Route("/consent", self.consent),
            Route("/speaker", self.join, methods=["POST"]),
            Route("/speaker", self.erase, methods=["DELETE"]),
            Route("/leave", self.leave, methods=["POST"]),
            Route("/prompts/{number:int}/take", self.take, methods=["POST"]),
            Route("/takes/{id}", self.audio),
            Route("/takes/{id}", self.delete, methods=["DELETE"]),
        ]
        return Starlette(
            routes=[
                Mount("/api", routes=api),
                Mount("/", StaticFiles(directory=PAGE, html=True)),
            ],
            exception_handlers={RefusedError: _refused, HTTPException: _not_here},
        )

    async def state(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self.studio.state, _secret(request)))

    async def consent(self, request: Request) -> Response:
        return JSONResponse(self.studio.consent(request.query_params.get("language", "en")))

    async def join(self, request: Request) -> Response:
        answers = await _json(request)
        speaker, secret = await run_in_threadpool(self.studio.join, _secret(request), answers)
        response = JSONResponse({"name": speaker.name}, status_code=201)
        response.set_cookie(
            COOKIE,
            secret,
            max_age=COOKIE_MAX_AGE_S,
            secure=True,
            httponly=True,
            samesite="strict",
        )
        return response

    async def leave(self, request: Request) -> Response:
        return _without_cookie(Response(status_code=204))

    async def erase(self, request: Request) -> Response:
        gone = await run_in_threadpool(self.studio.erase, self._speaker(request))
        return _without_cookie(JSONResponse({"deleted": gone}))

    async def take(self, request: Request) -> Response:
        speaker, number = self._speaker(request), int(request.path_params["number"])
        longest_s = self.studio.longest_s(number)
        await run_in_threadpool(self.studio.check_may_upload, speaker)
        async with self._uploads:
            body = await receive(request, largest_bytes(longest_s))
            query = request.query_params
            answer = await run_in_threadpool(
                self.studio.take,
                speaker,
                number,
                body,
                query.get("instead_of"),
                query.get("anyway") == "1",
            )
        return JSONResponse(answer, status_code=201 if answer["kept"] else 200)

    async def audio(self, request: Request) -> Response:
        speaker, clip_id = self._speaker(request), request.path_params["id"]
        path = await run_in_threadpool(self.studio.audio, speaker, clip_id)
        return FileResponse(path, media_type="audio/flac")

    async def delete(self, request: Request) -> Response:
        speaker, clip_id = self._speaker(request), request.path_params["id"]
        return JSONResponse(await run_in_threadpool(self.studio.delete, speaker, clip_id))

    def _speaker(self, request: Request) -> Speaker:
        return self.studio.speaker(_secret(request))


class _Guard:
    """Lets through what carries the token, strips it from the path, and adds the headers."""

    def __init__(self, app: ASGIApp, token: str):
        self.app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                own = {key for key, _ in extra}
                kept = [(k, v) for k, v in message.get("headers", []) if k not in own]
                message["headers"] = kept + extra
            await send(message)

        app = self._app(scope)
        await app(scope, receive, send_with_headers)

    def _app(self, scope: MutableMapping[str, Any]) -> ASGIApp:
        first, slash, rest = scope["path"].removeprefix("/").partition("/")
        if not secrets.compare_digest(first.encode(), self._token):
            return HTMLResponse(NOT_HERE, status_code=404)
        if not slash:
            return RedirectResponse(f"/{first}/")
        headers = dict(scope["headers"])
        origin, host = headers.get(b"origin"), headers.get(b"host", b"")
        if scope["method"] not in ("GET", "HEAD") and origin not in (None, b"https://" + host):
            # A page of somebody else's in the same browser, using the speaker's cookie.
            return JSONResponse({"error": "other_origin"}, status_code=403)
        scope["path"] = f"/{rest}"
        scope["root_path"] = ""
        return self.app


async def _json(request: Request) -> dict[str, Any]:
    try:
        table = json.loads(await receive(request, LARGEST_JSON_BYTES))
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise RefusedError(400, "not_json", "expected a JSON object")
    return table


def _secret(request: Request) -> str | None:
    return request.cookies.get(COOKIE)


def _without_cookie(response: Response) -> Response:
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
    return response


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    body = {"error": error.code, "message": str(error)}
    return JSONResponse(body, status_code=error.status)


def _not_here(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": "not_found"}, status_code=error.status_code)
