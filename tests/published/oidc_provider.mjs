// node oidc-provider with a grant of its own: the package has client authentication, parameters, tokens and errors; the
// grant verifies the assertion with jose.
// Usage: oidc_provider.mjs PORT IDP_ISSUER CLIENT_ID CLIENT_SECRET RESOURCE
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { Provider, errors } from 'oidc-provider'

const [port, idp, clientId, clientSecret, resource] = process.argv.slice(2)
const issuer = `http://127.0.0.1:${port}`
const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const keys = createRemoteJWKSet(new URL(`${idp}/jwks`))
const used = new Set()

const provider = new Provider(issuer, {
  clients: [{
    client_id: clientId, client_secret: clientSecret, grant_types: [grantType], response_types: [], redirect_uris: [],
    token_endpoint_auth_method: process.argv[7] ?? 'client_secret_basic',
  }],
  scopes: ['docs.read', 'docs.write'],
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    devInteractions: { enabled: false }, introspection: { enabled: true }, revocation: { enabled: true }, dPoP: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      getResourceServerInfo: (ctx, wanted) => {
        if (wanted !== resource) throw new errors.InvalidTarget()
        return { scope: 'docs.read docs.write', accessTokenFormat: 'jwt', accessTokenTTL: 3600, audience: resource }
      },
      useGrantedResource: () => true,
    },
  },
})

provider.registerGrantType(grantType, async (ctx) => {
  if (!ctx.oidc.params.assertion) throw new errors.InvalidRequest('assertion is missing')
  let claims
  try {
    const verified = await jwtVerify(ctx.oidc.params.assertion, keys, {
      issuer: idp, audience: issuer, typ: 'oauth-id-jag+jwt', algorithms: ['RS256', 'ES256'],
      requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id'],
    })
    claims = verified.payload
  } catch (error) {
    throw new errors.InvalidGrant('the assertion is not valid')
  }
  if (claims.client_id !== ctx.oidc.client.clientId) throw new errors.InvalidGrant('client_id')
  if (used.has(claims.jti)) throw new errors.InvalidGrant('replay')
  if ((claims.resource ?? resource) !== resource) throw new errors.InvalidGrant('resource')
  if ((ctx.oidc.params.resource ?? resource) !== resource) throw new errors.InvalidTarget()
  used.add(claims.jti)
  if (typeof (claims.scope ?? '') !== 'string') throw new errors.InvalidGrant('scope')
  const asked = ctx.oidc.params.scope?.split(' ')
  const scopes = (claims.scope ?? '').split(' ').filter((s) => ['docs.read', 'docs.write'].includes(s))
  const granted = scopes.filter((s) => !asked || asked.includes(s)).join(' ')
  const { AccessToken, Grant } = ctx.oidc.provider
  const grant = new Grant({ accountId: claims.sub, clientId })
  grant.addResourceScope(resource, granted)
  const token = new AccessToken({
    accountId: claims.sub, client: ctx.oidc.client, grantId: await grant.save(), gty: 'jwt-bearer',
    resourceServer: new provider.ResourceServer(resource, { scope: 'docs.read docs.write', accessTokenFormat: 'jwt', audience: resource }),
    scope: granted,
  })
  ctx.oidc.entity('AccessToken', token)
  ctx.body = { access_token: await token.save(), expires_in: 3600, token_type: 'Bearer', scope: granted }
}, ['assertion', 'scope', 'resource'], ['resource'])

provider.on('server_error', (ctx, error) => console.error(error))
provider.listen(Number(port), '127.0.0.1')
