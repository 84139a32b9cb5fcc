// An MCP server that takes Countersign's access tokens, and nothing else.
import { createMcpExpressApp, getOAuthProtectedResourceMetadataUrl, requireBearerAuth } from '@modelcontextprotocol/express';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, OAuthError, OAuthErrorCode, type AuthInfo } from '@modelcontextprotocol/server';
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose';
import { hasReadableDetails, limitedServer } from './limits.js';
import { Revocations } from './revocations.js';

const issuer = process.env.ISSUER ?? 'http://127.0.0.1:8080'; // Countersign's issuer, byte for byte
const resource = process.env.RESOURCE ?? 'http://127.0.0.1:3000/mcp'; // this server, as registered at Countersign
const scopes = ['docs.read']; // what every call needs

const revocations = Revocations.follow(issuer);
let asked = -Infinity;
const keys = createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`), {
    cacheMaxAge: 300_000,
    cooldownDuration: 5_000,
    timeoutDuration: 5_000,
    // The cool-down begins with an answer; without one, too, Countersign is asked at most every five seconds.
    [customFetch]: async (url, options) => {
        if (Date.now() - asked < 5_000) throw new Error('the key set could not be fetched a moment ago');
        asked = Date.now();
        return fetch(url, options);
    },
});

async function verifyAccessToken(token: string): Promise<AuthInfo> {
    const { payload } = await jwtVerify<{ client_id: string; scope?: string }>(token, keys, {
        algorithms: ['ES256', 'EdDSA', 'RS256'], // and of these the one that the key is for
        typ: 'at+jwt',
        issuer, audience: resource, clockTolerance: 10,
        requiredClaims: ['exp', 'sub', 'client_id'],
    }).catch(refuse);
    const isForUs = payload.aud === resource && !payload.cnf; // bound to a key, it would need a proof (RFC 9449)
    const isGood = isForUs && hasReadableDetails(payload) && !revocations?.areOver(payload);
    if (!isGood) refuse(new errors.JWTInvalid('no bearer token for this server, with malformed details, or over'));
    const { client_id: clientId, scope = '', exp: expiresAt } = payload;
    return { token, clientId, scopes: scope.split(' '), expiresAt, resource: new URL(resource), extra: payload };
}

function refuse(error: unknown): never {
    const ofKeySet = ['ERR_JOSE_GENERIC', 'ERR_JWKS_INVALID', 'ERR_JWKS_TIMEOUT'];
    // If the keys could not be had, that is not the token's fault: 500, and the client keeps its token.
    if (!(error instanceof errors.JOSEError) || ofKeySet.includes(error.code)) throw error;
    throw new OAuthError(OAuthErrorCode.InvalidToken, error.message);
}

function tools(claims: Record<string, unknown> = {}) {
    const server = limitedServer({ name: 'docs', version: '1.0.0' }, claims);
    server.registerTool('whoami', { description: 'Who is calling, as the access token tells it.' }, () => ({
        content: [{ type: 'text', text: JSON.stringify(claims, ['sub', 'client_id', 'teamspace', 'teamspace_id', 'scope']) }],
    }));
    return server;
}

const { hostname, pathname } = new URL(resource);
const resourceMetadataUrl = getOAuthProtectedResourceMetadataUrl(new URL(resource));
const auth = requireBearerAuth({ verifier: { verifyAccessToken }, requiredScopes: scopes, resourceMetadataUrl });
const handler = toNodeHandler(createMcpHandler(({ authInfo }) => tools(authInfo?.extra)));
const app = createMcpExpressApp({ allowedHosts: [hostname] });
app.get(new URL(resourceMetadataUrl).pathname, (_, response) => {
    response.json({ resource, authorization_servers: [issuer], scopes_supported: scopes });
});
app.all(pathname, auth, (request, response) => handler(request, response, request.body));
app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
