"""The entry: `streamlit run app.py` serves gradlab/ui/main.py.

Before the first visitor the heavy imports are done and the garbage collector is told to leave them alone: Streamlit
collects after every run, and walking torch's objects each time would cost a rerun some 200 ms. While they are done it
rests, for a fifth of their time would be its own. The kernels compile in a process beside it.

Beside the pages it answers sliders that move (`stops`) and charts that fetch a training's curves (`curves`).
"""

import asyncio
import contextlib
import gc
import os
import threading
from typing import Any

# Before numpy is loaded: of matrices as small as a state's, two of OpenBLAS's threads take five times the processor
# that one does, and a server has other visitors for the second.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gradlab.ui.place import PACKAGE

TURNS = asyncio.Semaphore(os.cpu_count() or 1)  # of requests for stops that are computed at once
MOST_WAITING = 100  # requests for stops; two of each page that is dragged, so that fifty people may


@contextlib.asynccontextmanager
async def prepared(_app):
    gc.disable()
    from gradlab import engine
    from gradlab.ui.frame.shown import DEFAULT_CELLS

    beside = engine.compile_beside(DEFAULT_CELLS)
    # Loaded before the first visitor, with all that they import.
    from gradlab import public  # noqa: F401
    from gradlab.ui.training import character_page  # noqa: F401
    from gradlab.words import languages

    for code in languages.codes():
        languages.catalogue(code)

    gc.freeze()
    gc.enable()
    threading.Thread(target=engine.load_after, args=(beside,), name="load kernels", daemon=True).start()
    yield


def curves(request: Request) -> Response:
    """A training's curves, for the charts that ask for them themselves."""
    from gradlab.ui.training import live

    asked = (request.path_params[name] for name in ("token", "column"))
    return Response(live.rows(*asked), media_type="application/json")


async def stops(request: Request) -> Response:
    """What a page shows at other stops of a slider that moves. All pages share `TURNS`."""
    from gradlab.ui.parts import following

    if stops.waiting >= MOST_WAITING:
        return Response(status_code=503)
    stops.waiting += 1
    try:
        async with TURNS:
            if await request.is_disconnected():
                return Response(status_code=503)
            rows = await run_in_threadpool(following.stops, request.url.query)
    except ValueError as error:
        return Response(str(error), status_code=400, media_type="text/plain")
    finally:
        stops.waiting -= 1
    return Response(rows, media_type="application/json")


stops.waiting = 0

# A page asks below its own address, which server.baseUrlPath or a slash at its end makes longer.
ROUTES = [Route("/following/stops", stops), Route("/{before:path}/following/stops", stops)]
ROUTES += [Route("/live/{token}/{column}", curves), Route("/{before:path}/live/{token}/{column}", curves)]

FRAMES = os.environ.get("GRADLAB_FRAME_ANCESTORS", "'self'")  # the addresses that may show the app in a frame
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),  # a link holds what was typed
    (b"content-security-policy", f"frame-ancestors {FRAMES}".encode("latin-1")),
]


class WithHeaders:
    """Every answer says what a browser may do with it."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":  # every element of a page passes here
            await self.app(scope, receive, send)
            return

        async def answered(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
            await send(message)

        await self.app(scope, receive, answered)


app = st.App(PACKAGE / "ui" / "main.py", lifespan=prepared, routes=ROUTES, middleware=[Middleware(WithHeaders)])
