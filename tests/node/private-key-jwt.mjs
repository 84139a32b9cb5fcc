// Client authentication as a real client does it: the published MCP TypeScript SDK signs the assertion and
// exchanges the ID-JAG. It knows the issuer only, and takes everything else from the metadata.
//
// Required: ISSUER CLIENT_ID PRIVATE_KEY (PKCS#8, PEM) ALG ID_JAG
//
// Prints exactly one JSON line on stdout: status, body, and what the same client assertion gives a second time.
import { createPrivateKeyJwtAuth, discoverAuthorizationServerMetadata } from '@modelcontextprotocol/client';

const { ISSUER, CLIENT_ID, PRIVATE_KEY, ALG, ID_JAG } = process.env;

async function main() {
    const metadata = await discoverAuthorizationServerMetadata(ISSUER);
    const authenticate = createPrivateKeyJwtAuth({
        issuer: CLIENT_ID,
        subject: CLIENT_ID,
        privateKey: PRIVATE_KEY,
        alg: ALG,
    });
    const params = new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: ID_JAG,
    });
    await authenticate(new Headers(), params, metadata.token_endpoint, metadata);
    const post = async () => {
        const response = await fetch(metadata.token_endpoint, { method: 'POST', body: params });
        return { status: response.status, body: await response.json() };
    };
    const methods = metadata.token_endpoint_auth_methods_supported;
    return { methods, first: await post(), second: await post() };
}

main().then(
    (result) => process.stdout.write(JSON.stringify(result) + '\n'),
    (error) => process.stdout.write(JSON.stringify({ error: error.message }) + '\n', () => process.exit(1)),
);
