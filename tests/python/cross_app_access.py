"""The whole flow as the published MCP Python SDK does it: an ID token for an ID-JAG at the identity provider, that for
an access token at the authorization server, and a tool call with it.

Required: MCP_URL IDP_TOKEN_ENDPOINT IDP_CLIENT_ID IDP_CLIENT_SECRET ID_TOKEN CLIENT_ID CLIENT_SECRET EXPECTED_ISSUER

Prints one JSON line on standard output and exits with 0 or 1.
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client
from mcp.client.auth.extensions.identity_assertion import IdentityAssertionOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthToken

OAUTH = "urn:ietf:params:oauth"


class Tokens:
    """Keeps tokens for this run."""

    tokens: OAuthToken | None = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens


async def id_jag(audience: str, resource: str) -> str:
    """Exchanges the ID token; the SDK leaves this to its users."""
    form = {
        "grant_type": f"{OAUTH}:grant-type:token-exchange",
        "requested_token_type": f"{OAUTH}:token-type:id-jag",
        "audience": audience,
        "resource": resource,
        "scope": "docs.read",
        "subject_token": os.environ["ID_TOKEN"],
        "subject_token_type": f"{OAUTH}:token-type:id_token",
        "client_id": os.environ["IDP_CLIENT_ID"],
        "client_secret": os.environ["IDP_CLIENT_SECRET"],
    }
    async with httpx2.AsyncClient(timeout=30) as http:
        answer = await http.post(os.environ["IDP_TOKEN_ENDPOINT"], data=form)
        answer.raise_for_status()
        return answer.json()["access_token"]


def signs_in(url: str) -> IdentityAssertionOAuthProvider:
    """What gets and sends the token of a server."""
    return IdentityAssertionOAuthProvider(
        server_url=url,
        storage=Tokens(),
        client_id=os.environ["CLIENT_ID"],
        client_secret=os.environ["CLIENT_SECRET"],
        issuer=os.environ["EXPECTED_ISSUER"],
        assertion_provider=id_jag,
    )


def value_of(answer):
    """A tool's answer as a plain value."""
    if answer.is_error:
        raise RuntimeError(answer.content)
    return answer.structured_content or json.loads(answer.content[0].text)


async def run() -> dict:
    url = os.environ["MCP_URL"]
    async with httpx2.AsyncClient(auth=signs_in(url), timeout=30) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            whoami = value_of(await client.call_tool("whoami", {}))
            return {"ok": True, "tools": tools, "whoami": whoami}


def finish(work):
    """Does the work, says how it went, and exits."""
    try:
        result = asyncio.run(asyncio.wait_for(work, timeout=60))
    except Exception as problem:
        while getattr(problem, "exceptions", None):  # of a group
            problem = problem.exceptions[0]
        result = {"ok": False, "error": type(problem).__name__, "message": str(problem)}
    print(json.dumps(result))
    sys.exit(0 if result["ok"] else 1)


if __name__ == "__main__":
    finish(run())
