"""An MCP server that takes Countersign's access tokens, and nothing else."""

import os
import time
from urllib.parse import urlsplit

import anyio.to_thread
import jwt
import uvicorn
from limits import LimitedServer, has_readable_details
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings
from revocations import NotKnown, Revocations
from starlette.responses import PlainTextResponse

ISSUER = os.environ.get("ISSUER", "http://127.0.0.1:8080")  # Countersign's issuer, byte for byte
RESOURCE = os.environ.get("RESOURCE", "http://127.0.0.1:3000/mcp")  # this server, as registered at Countersign
SCOPES = ["docs.read"]  # what every call needs


class Verifier(jwt.PyJWKClient):
    """Verifies tokens with Countersign's keys, which it asks for at most every five seconds, whatever the answer."""

    asked = float("-inf")

    def fetch_data(self):
        if time.monotonic() - self.asked < 5:
            raise jwt.PyJWKClientConnectionError("the keys could not be fetched a moment ago")
        self.asked = time.monotonic()
        return super().fetch_data()

    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            return await anyio.to_thread.run_sync(self.verify, token)
        except jwt.PyJWKClientConnectionError:
            raise
        except jwt.PyJWTError:
            return None

    def verify(self, token: str) -> AccessToken:
        key = self.get_signing_key_from_jwt(token)
        options = {"require": ["exp", "sub", "client_id"], "strict_aud": True}
        claims = jwt.decode(token, key, [key.algorithm_name], options, audience=RESOURCE, issuer=ISSUER, leeway=10)
        if jwt.get_unverified_header(token).get("typ") != "at+jwt" or "cnf" in claims or not has_readable_details(claims):
            raise jwt.InvalidTokenError("no access token, or one that is bound to a key, or has malformed details")
        revocations.check(claims)
        return AccessToken(token=token, client_id=claims["client_id"], scopes=claims.get("scope", "").split(),
                           expires_at=claims["exp"], resource=claims["aud"], subject=claims["sub"], claims=claims)


def unavailable(app):
    """Answers 503 without the keys or the revocations: that is not the token's fault, and the client keeps it."""

    async def answer(scope, receive, send):
        try:
            await app(scope, receive, send)
        except (jwt.PyJWKClientConnectionError, NotKnown):
            await PlainTextResponse("Temporarily unavailable; try again later.", 503)(scope, receive, send)

    return answer


revocations = Revocations(ISSUER)
auth = AuthSettings(issuer_url=ISSUER, resource_server_url=RESOURCE, required_scopes=SCOPES, validate_token_resource=True)
server = LimitedServer("docs", auth=auth, token_verifier=Verifier(f"{ISSUER}/oauth2/jwks", cooldown_duration=5, timeout=5))


@server.tool()
def whoami() -> dict:
    """Who is calling, as the access token tells it."""
    return get_access_token().claims


app = server.streamable_http_app(streamable_http_path=urlsplit(RESOURCE).path, stateless_http=True, json_response=True,
                                 transport_security=TransportSecuritySettings(allowed_hosts=[urlsplit(RESOURCE).netloc]))
app.add_middleware(unavailable)
uvicorn.run(app, port=int(os.environ.get("PORT", "3000")))
