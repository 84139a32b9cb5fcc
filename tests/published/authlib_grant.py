"""Authlib's JWTBearerGrant on Flask, with the methods that its documentation leaves to developers and nothing more.

Usage: authlib_grant.py PORT IDP_ISSUER CLIENT_ID CLIENT_SECRET
"""
import json
import sys
import urllib.request

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc7523 import JWTBearerGrant
from flask import Flask
from joserfc.jwk import KeySet

port, idp, client_id, client_secret = sys.argv[1:5]
issuer = f"http://127.0.0.1:{port}"


class Client(ClientMixin):
    client_id = client_id

    def get_client_id(self):
        return client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return " ".join(s for s in (scope or "").split() if s in ("docs.read", "docs.write"))

    def check_redirect_uri(self, uri):
        return False

    def check_client_secret(self, secret):
        return secret == client_secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type):
        return False

    def check_grant_type(self, grant_type):
        return grant_type == JWTBearerGrant.GRANT_TYPE


class Grant(JWTBearerGrant):
    def resolve_issuer_client(self, wanted):
        return Client() if wanted == idp else None

    def resolve_client_public_key(self, client):
        with urllib.request.urlopen(f"{idp}/jwks") as answer:
            return KeySet.import_key_set(json.load(answer))

    def authenticate_user(self, subject):
        return {"sub": subject}

    def get_audiences(self):
        return [issuer]

    def has_granted_permission(self, client, user):
        return True


app = Flask(__name__)
server = AuthorizationServer(
    app, query_client=lambda wanted: Client() if wanted == client_id else None, save_token=lambda token, request: None
)
server.register_grant(Grant)


@app.route("/token", methods=["POST"])
def token():
    return server.create_token_response()


app.run("127.0.0.1", int(port))
