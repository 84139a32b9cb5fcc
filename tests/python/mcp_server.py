"""An MCP server that knows nothing of tokens: the proxy in front of it keeps others out. Its tools tell what reaches it.

Required: PORT
"""

import asyncio
import os
from collections import defaultdict

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse

server = MCPServer("behind-a-proxy", log_level="WARNING")
released = defaultdict(asyncio.Event)
requests = 0


@server.tool()
def whoami(ctx: Context) -> dict:
    """The headers of the request, each with all its values."""
    headers = ctx.request_context.request.headers
    return {name: headers.getlist(name) for name in headers.keys()}


@server.tool()
async def wait(ctx: Context, name: str) -> str:
    """Reports progress, and ends once the client has seen that."""
    await ctx.report_progress(1, 2, "waiting")
    await asyncio.wait_for(released[name].wait(), 20)
    return "released"


@server.custom_route("/release/{name}", methods=["POST"])
async def release(request):
    released[request.path_params["name"]].set()
    return JSONResponse({})


@server.custom_route("/requests", methods=["GET"])
async def how_many(_request):
    return JSONResponse(requests)


def observed(app):
    """Counts the requests that a proxy has let through, and keeps quiet about buffering, which is the proxy's to know."""

    async def answer(scope, receive, send):
        global requests
        if scope["type"] == "http" and scope["path"] == "/mcp":
            requests += 1

        async def without_hint(message):
            if message["type"] == "http.response.start":
                # Traefik cuts off answers that begin before it knows that the request has ended (traefik/traefik#11767).
                await asyncio.sleep(0.005)
                message["headers"] = [pair for pair in message["headers"] if pair[0].lower() != b"x-accel-buffering"]
            await send(message)

        await app(scope, receive, without_hint)

    return answer


security = TransportSecuritySettings(allowed_hosts=["127.0.0.1:*"])
app = server.streamable_http_app(stateless_http=True, transport_security=security)
uvicorn.run(observed(app), port=int(os.environ["PORT"]), log_level="warning")
