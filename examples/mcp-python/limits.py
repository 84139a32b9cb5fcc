"""Obeys authorization details that limit a token to some tools (RFC 9396): copy it beside your server."""

from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver.exceptions import ToolError


def has_readable_details(claims: dict) -> bool:
    """Whether a token's details, if it has any, are an array of objects, each with a type (RFC 9396 §2)."""
    details = claims.get("authorization_details", [])
    return isinstance(details, list) and all(
        isinstance(detail, dict) and isinstance(detail.get("type"), str) for detail in details)


def may_call(claims: dict, tool: str) -> bool:
    """Whether a verified token is for a tool: for every one, unless details of the type `mcp_tool` name some."""
    details = claims.get("authorization_details", [])
    limits = [detail.get("tools") for detail in details if detail["type"] == "mcp_tool"]
    return not limits or any(isinstance(tools, list) and tool in tools for tools in limits)


class LimitedServer(MCPServer):
    """Whatever its tools are, a token gets an error from those that it is not for."""

    async def call_tool(self, name, arguments, context=None):
        if not may_call(get_access_token().claims, name):
            raise ToolError("the access token is not for this tool")
        return await super().call_tool(name, arguments, context)
