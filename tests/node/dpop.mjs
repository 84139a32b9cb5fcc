// A DPoP proof as a real client makes it: the published library jose makes the key, its thumbprint and the proof.
//
// Required: ISSUER CLIENT_ID CLIENT_SECRET ALG ID_JAG
//
// Prints exactly one JSON line on stdout: status, body, the key's thumbprint, and the one that the token is bound to.
import { randomUUID } from 'node:crypto';
import { SignJWT, calculateJwkThumbprint, decodeJwt, exportJWK, generateKeyPair } from 'jose';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, ALG, ID_JAG } = process.env;

async function main() {
    const metadata = await (await fetch(`${ISSUER}/.well-known/oauth-authorization-server`)).json();
    if (!metadata.dpop_signing_alg_values_supported.includes(ALG)) throw new Error(`${ALG} is not announced`);
    const { publicKey, privateKey } = await generateKeyPair(ALG);
    const jwk = await exportJWK(publicKey);
    const proof = await new SignJWT({ htm: 'POST', htu: metadata.token_endpoint, jti: randomUUID() })
        .setProtectedHeader({ typ: 'dpop+jwt', alg: ALG, jwk })
        .setIssuedAt()
        .sign(privateKey);
    const response = await fetch(metadata.token_endpoint, {
        method: 'POST',
        headers: { DPoP: proof, Authorization: 'Basic ' + btoa(`${CLIENT_ID}:${CLIENT_SECRET}`) },
        body: new URLSearchParams({
            grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
            assertion: ID_JAG,
        }),
    });
    const body = await response.json();
    const bound_to = body.access_token && decodeJwt(body.access_token).cnf?.jkt;
    return { status: response.status, body, thumbprint: await calculateJwkThumbprint(jwk), bound_to };
}

main().then(
    (result) => process.stdout.write(JSON.stringify(result) + '\n'),
    (error) => process.stdout.write(JSON.stringify({ error: error.message }) + '\n', () => process.exit(1)),
);
