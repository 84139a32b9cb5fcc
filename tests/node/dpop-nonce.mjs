// DPoP with nonces as a real client does it: the published library oauth4webapi makes the proofs, keeps the nonce of each
// answer, and sends a request again that was refused for want of one. Each attempt is with the same ID-JAG.
//
// Required: ISSUER CLIENT_ID CLIENT_SECRET ID_JAG
//
// Prints exactly one JSON line on stdout: the statuses of all answers, token_type, and whether the token is bound to the key.
import * as oauth from 'oauth4webapi';
import { decodeJwt } from 'jose';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, ID_JAG } = process.env;

async function main() {
    const statuses = [];
    const observed = async (url, options) => {
        const response = await fetch(url, options);
        if (options.method === 'POST') statuses.push(response.status);
        return response;
    };
    const local = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: observed };
    const issuer = new URL(ISSUER);
    const found = await oauth.discoveryRequest(issuer, { ...local, algorithm: 'oauth2' });
    const server = await oauth.processDiscoveryResponse(issuer, found);
    const client = { client_id: CLIENT_ID };
    const keys = await oauth.generateKeyPair('ES256', { extractable: true });
    const DPoP = oauth.DPoP(client, keys);
    const request = async () => {
        const response = await oauth.genericTokenEndpointRequest(
            server,
            client,
            oauth.ClientSecretBasic(CLIENT_SECRET),
            'urn:ietf:params:oauth:grant-type:jwt-bearer',
            new URLSearchParams({ assertion: ID_JAG }),
            { ...local, DPoP },
        );
        return oauth.processGenericTokenEndpointResponse(server, client, response);
    };
    let token;
    try {
        token = await request();
    } catch (error) {
        if (!oauth.isDPoPNonceError(error)) throw error;
        token = await request();
    }
    const bound = decodeJwt(token.access_token).cnf?.jkt === (await DPoP.calculateThumbprint());
    return { statuses, token_type: token.token_type, bound };
}

main().then(
    (result) => process.stdout.write(JSON.stringify(result) + '\n'),
    (error) => process.stdout.write(JSON.stringify({ error: `${error.message} ${JSON.stringify(error.cause ?? '')}` }) + '\n', () => process.exit(1)),
);
