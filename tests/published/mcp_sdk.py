"""The authorization server of the MCP Python SDK, with the identity-assertion hook as its documentation describes it.

The SDK has the token endpoint, client authentication and metadata; what is asked of the hook is done with PyJWT.
Usage: mcp_sdk.py PORT IDP_ISSUER CLIENT_ID CLIENT_SECRET RESOURCE
"""
import secrets
import sys
import time

import jwt
import uvicorn
from mcp.server.auth.provider import AccessToken, OAuthAuthorizationServerProvider, TokenError
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import RevocationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

port, idp, client_id, client_secret, resource = sys.argv[1:6]
issuer = f"http://127.0.0.1:{port}/"  # the SDK adds the slash
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES = ["docs.read", "docs.write"]


class Provider(OAuthAuthorizationServerProvider):
    def __init__(self, method):
        self.keys = jwt.PyJWKClient(f"{idp}/jwks")
        self.used, self.tokens = set(), {}
        self.client = OAuthClientInformationFull(
            client_id=client_id,
            client_secret=client_secret,
            grant_types=[GRANT],
            redirect_uris=["http://127.0.0.1/unused"],
            token_endpoint_auth_method=method,
        )

    async def get_client(self, wanted):
        return self.client if wanted == client_id else None

    async def exchange_identity_assertion(self, client, params):
        def refuse(why, error="invalid_grant"):
            raise TokenError(error=error, error_description=why)

        try:
            header = jwt.get_unverified_header(params.assertion)
            if header.get("typ") != "oauth-id-jag+jwt":
                refuse("typ")
            key = self.keys.get_signing_key_from_jwt(params.assertion)
            claims = jwt.decode(
                params.assertion,
                key,
                algorithms=["RS256", "ES256"],
                audience=issuer,
                issuer=idp,
                options={"require": ["iss", "sub", "aud", "exp", "iat", "jti"]},
            )
        except jwt.PyJWTError:
            refuse("the assertion is not valid")
        if claims.get("client_id") != client.client_id:
            refuse("client_id")
        if not isinstance(claims["jti"], str) or claims["jti"] in self.used:
            refuse("replay")
        if claims.get("resource", resource) != resource:
            refuse("resource")
        if params.resource not in (None, resource):
            refuse("resource", "invalid_target")
        if not isinstance(claims.get("scope", ""), str):
            refuse("scope")
        asserted = [s for s in claims.get("scope", "").split() if s in SCOPES]
        granted = [s for s in asserted if params.scopes is None or s in params.scopes]
        self.used.add(claims["jti"])
        token = secrets.token_urlsafe(32)
        self.tokens[token] = AccessToken(
            token=token, client_id=client.client_id, scopes=granted, expires_at=int(time.time()) + 3600
        )
        return OAuthToken(access_token=token, expires_in=3600, scope=" ".join(granted))

    async def load_access_token(self, token):
        return self.tokens.get(token)

    async def load_refresh_token(self, client, token):
        return None

    async def load_authorization_code(self, client, code):
        return None

    async def revoke_token(self, token):
        self.tokens.pop(token.token, None)


routes = create_auth_routes(
    Provider(sys.argv[6] if len(sys.argv) > 6 else "client_secret_basic"),
    AnyHttpUrl(issuer),
    revocation_options=RevocationOptions(enabled=True),
    identity_assertion_enabled=True,
)
uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=int(port), log_level="warning")
