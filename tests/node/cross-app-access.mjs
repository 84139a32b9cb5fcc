// The whole enterprise flow as a real client does it: the published MCP TypeScript SDK discovers the
// authorization server from the MCP server, exchanges an ID token for an ID-JAG at the IdP, exchanges
// the ID-JAG for an access token, and uses the MCP server. Nothing here knows Countersign's URLs.
//
// Required: MCP_URL IDP_TOKEN_ENDPOINT IDP_CLIENT_ID IDP_CLIENT_SECRET ID_TOKEN CLIENT_ID CLIENT_SECRET
//           EXPECTED_ISSUER
// Optional: MODE         full (default) | list  (no whoami/add, for servers without whoami)
//                        | replay (full, then the same ID-JAG once more: must be refused)
//           CLIENT_AUTH  client_secret_post     (default: the SDK's choice, Basic where advertised)
//           PROTOCOL     legacy (default) | auto | an exact revision such as 2026-07-28
//           TIMEOUT_MS   30000
//
// Prints exactly one JSON line on stdout (the SDK's warnings go to stderr) and exits 0 or 1.
import {
    Client,
    CrossAppAccessProvider,
    discoverAuthorizationServerMetadata,
    exchangeJwtAuthGrant,
    requestJwtAuthorizationGrant,
    StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';

const { MODE = 'full', CLIENT_AUTH, PROTOCOL = 'legacy', TIMEOUT_MS = '30000' } = process.env;

// Exits only once the line is written: stdout may be a pipe, and process.exit() would drop it.
function finish(result) {
    process.stdout.write(JSON.stringify(result) + '\n', () => process.exit(result.ok ? 0 : 1));
}

function fail(error) {
    // `code` is the OAuth error ("invalid_grant") or the SDK's; fetch hides the reason in `cause`.
    const cause = error.cause?.message ? ` (${error.cause.message})` : '';
    finish({ ok: false, error: error.code ?? error.name, message: `${error.message}${cause}` });
}

function env(name) {
    const value = process.env[name];
    if (!value) throw Object.assign(new Error(`${name} is not set`), { code: 'usage' });
    return value;
}

// A tool's answer as a plain value, whether the server sent structured content or JSON/plain text.
function toolValue(result) {
    const text = result.content?.find((part) => part.type === 'text')?.text;
    if (result.isError) throw Object.assign(new Error(text ?? 'no message'), { code: 'tool_error' });
    const structured = result.structuredContent;
    if (structured) {
        const keys = Object.keys(structured);
        return keys.length === 1 && keys[0] === 'result' ? structured.result : structured;
    }
    try {
        return JSON.parse(text);
    } catch {
        return text;
    }
}

async function main() {
    const mcpUrl = new URL(env('MCP_URL'));
    const idp = {
        tokenEndpoint: env('IDP_TOKEN_ENDPOINT'),
        clientId: env('IDP_CLIENT_ID'),
        clientSecret: env('IDP_CLIENT_SECRET'),
        idToken: env('ID_TOKEN'),
    };
    const credentials = { clientId: env('CLIENT_ID'), clientSecret: env('CLIENT_SECRET') };
    const expectedIssuer = env('EXPECTED_ISSUER');
    let idJag;

    const provider = new CrossAppAccessProvider({
        ...credentials,
        expectedIssuer,
        // The audience is the issuer the SDK discovered, not EXPECTED_ISSUER: that is what is under test.
        // The SDK has no error type for this leg, so name it: tests must tell it from Countersign's refusals.
        assertion: async ({ authorizationServerUrl, resourceUrl, scope, fetchFn }) => {
            try {
                const grant = await requestJwtAuthorizationGrant({
                    ...idp,
                    audience: authorizationServerUrl,
                    resource: resourceUrl,
                    scope,
                    fetchFn,
                });
                idJag = grant.jwtAuthGrant;
                return idJag;
            } catch (cause) {
                throw Object.assign(new Error(cause.message, { cause: cause.cause }), { code: 'idp_token_exchange' });
            }
        },
    });
    if (CLIENT_AUTH) {
        // The provider has no option for it; the SDK honours it on the client information, if advertised.
        const info = provider.clientInformation();
        provider.clientInformation = () => ({ ...info, token_endpoint_auth_method: CLIENT_AUTH });
    }

    const client = new Client(
        { name: 'countersign-cross-app-access', version: '0.0.0' },
        { versionNegotiation: { mode: ['legacy', 'auto'].includes(PROTOCOL) ? PROTOCOL : { pin: PROTOCOL } } },
    );
    await client.connect(new StreamableHTTPClientTransport(mcpUrl, { authProvider: provider }));
    const { tools } = await client.listTools();
    const result = { ok: true, tools: tools.map((tool) => tool.name) };
    if (MODE !== 'list') {
        result.whoami = toolValue(await client.callTool({ name: 'whoami', arguments: {} }));
        if (result.tools.includes('add')) {
            result.add = toolValue(await client.callTool({ name: 'add', arguments: { a: 2, b: 3 } }));
        }
    }
    await client.close();

    if (MODE === 'replay') {
        const { token_endpoint: tokenEndpoint } = await discoverAuthorizationServerMetadata(expectedIssuer);
        const refusal = await exchangeJwtAuthGrant({ ...credentials, tokenEndpoint, jwtAuthGrant: idJag }).then(
            () => undefined,
            (error) => error.message,
        );
        // Any other refusal (say, of the client) would prove nothing about replay.
        if (!refusal?.includes('invalid_grant')) {
            throw Object.assign(new Error(refusal ?? 'a used ID-JAG was accepted again'), { code: 'replay_not_refused' });
        }
        result.replay = refusal;
    }
    return result;
}

// A server that never answers must fail the test run, not hang it.
setTimeout(
    () => fail(Object.assign(new Error(`no result after ${TIMEOUT_MS} ms`), { code: 'timeout' })),
    Number(TIMEOUT_MS),
);
main().then(finish, fail);
