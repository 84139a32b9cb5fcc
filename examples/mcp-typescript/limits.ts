// Obeys authorization details that limit a token to some tools (RFC 9396): copy it beside your server.
import { McpServer, type Implementation } from '@modelcontextprotocol/server';

type Claims = Record<string, unknown>;
type Detail = { type: string; tools?: unknown };

/** Whether a token's details, if it has any, are an array of objects, each with a type (RFC 9396 §2). */
export function hasReadableDetails(claims: Claims): claims is Claims & { authorization_details?: Detail[] } {
    const { authorization_details: details = [] } = claims;
    return Array.isArray(details) && details.every((detail) => typeof detail?.type === 'string');
}

/** Whether a token is for a tool: for every one, unless details of the type `mcp_tool` name some. */
function mayCall(claims: Claims, tool: string): boolean {
    if (!hasReadableDetails(claims)) return false;
    const limits = (claims.authorization_details ?? []).filter(({ type }) => type === 'mcp_tool');
    return limits.length === 0 || limits.some(({ tools }) => Array.isArray(tools) && tools.includes(tool));
}

function refuse(): never {
    throw new Error('the access token is not for this tool');
}

class LimitedServer extends McpServer {
    constructor(info: Implementation, private readonly claims: Claims) {
        super(info);
    }

    override registerTool(name: string, config: any, run: any) {
        return super.registerTool(name, config, mayCall(this.claims, name) ? run : refuse);
    }
}

/** A server for the calls of one token: whatever its tools are, the token gets an error from those that it is not for. */
export function limitedServer(info: Implementation, claims: Claims): McpServer {
    return new LimitedServer(info, claims);
}
