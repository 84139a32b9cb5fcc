#!/usr/bin/env bash
# Runs the published Context7 MCP server so that /mcp/oauth accepts access tokens issued by Countersign.
# Run `npm ci` in this directory first. Everything below can be overridden from the environment:
#
#   PORT              port to listen on                        default 3000
#   EMA_ISSUER        Countersign's issuer, no trailing slash  default http://127.0.0.1:8080
#   EMA_JWKS_URL      Countersign's key set                    default $EMA_ISSUER/oauth2/jwks
#   RESOURCE_URL      the tokens' `aud`, byte for byte; the    default http://127.0.0.1:$PORT/mcp/oauth
#                     resource identifier to register
#   CONTEXT7_API_URL  where tool calls are sent                default: nowhere (see README.md)
#   OTEL_SDK_DISABLED "false" opens a metrics port (9464)      default true
set -euo pipefail
cd "$(dirname "$0")"

: "${PORT:=3000}"
: "${EMA_ISSUER:=http://127.0.0.1:8080}"
: "${EMA_JWKS_URL:=$EMA_ISSUER/oauth2/jwks}"
: "${RESOURCE_URL:=http://127.0.0.1:$PORT/mcp/oauth}"

# Context7 forwards the caller's bearer token to this API on every tool call, so by default it points at
# port 9, which fetch refuses to contact: a Countersign token must not reach a third party unasked.
: "${CONTEXT7_API_URL:=http://127.0.0.1:9/api}"
: "${OTEL_SDK_DISABLED:=true}"

# Without these two, Context7 lists its own (Clerk) authorization server first in the protected-resource
# metadata, where MCP clients take the first entry, and would also accept Clerk's tokens for any audience.
: "${OAUTH_AUTH_SERVER_URL:=$EMA_ISSUER}"
: "${OAUTH_JWKS_URL:=$EMA_JWKS_URL}"

export EMA_ISSUER EMA_JWKS_URL RESOURCE_URL CONTEXT7_API_URL OTEL_SDK_DISABLED OAUTH_AUTH_SERVER_URL OAUTH_JWKS_URL

# Context7 sends every request, the key set on loopback included, through a proxy and ignores NO_PROXY.
unset HTTPS_PROXY https_proxy HTTP_PROXY http_proxy

# On a busy port Context7 quietly moves to the next one, where RESOURCE_URL is no longer true.
if (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then
  echo "start.sh: port $PORT is already in use" >&2
  exit 1
fi

exec node node_modules/@upstash/context7-mcp/dist/index.js --transport http --port "$PORT"
