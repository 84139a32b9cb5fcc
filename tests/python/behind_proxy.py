"""The published MCP Python SDK at MCP servers behind proxies: it signs in as `cross_app_access.py` does, calls a tool
while it pretends to be somebody else, and follows a tool that reports progress.

Required: what `cross_app_access.py` requires, but for MCP_URL; MCP_URLS, with spaces between them; and SERVER, where
the server itself is.

Prints one JSON line on standard output, with what the server has seen of each call, and exits with 0 or 1.
"""

import asyncio
import os
from uuid import uuid4

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from cross_app_access import finish, signs_in, value_of

PRETENDED = {"X-Auth-Subject": "somebody", "x_auth_email": "somebody@example.com", "X.Auth.Scope": "everything"}


async def use(url: str, mode: str) -> dict:
    name = str(uuid4())

    async def release(*_progress):
        async with httpx2.AsyncClient() as direct:
            await direct.post(f"{os.environ['SERVER']}/release/{name}")

    async with httpx2.AsyncClient(auth=signs_in(url), headers=PRETENDED, timeout=30) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            seen = value_of(await client.call_tool("whoami", {}))
            # It ends only if its progress comes here before its result.
            waited = value_of(await client.call_tool("wait", {"name": name}, progress_callback=release))
            return {"url": url, "tools": tools, "whoami": seen, "waited": waited}


async def run() -> dict:
    urls = os.environ["MCP_URLS"].split()
    calls = [use(url, mode) for url in urls for mode in ("legacy", "auto")]
    return {"ok": True, "calls": await asyncio.gather(*calls)}


finish(run())
