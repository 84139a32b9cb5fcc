-- A teamspace may have several identity providers, and several teamspaces may share an issuer whose assertions say by
-- their tenant whom they are for. The provider of before keeps its teamspace's id as its own.
--
-- Processes of older versions must not go on with a row of these: they would take a second provider for the first, and
-- not look at the tenant. The column that they read as `provider` is called `kind` now, which stops them.
ALTER TABLE identity_providers RENAME TO identity_providers_kept;

CREATE TABLE identity_providers (
    id TEXT NOT NULL PRIMARY KEY,
    teamspace_id TEXT NOT NULL REFERENCES teamspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    issuer TEXT NOT NULL,
    tenant TEXT,
    jwks_uri TEXT NOT NULL,
    scope TEXT NOT NULL,
    groups_claim TEXT NOT NULL,
    -- A JSON array: the name of a claim, or its name and type.
    custom_claims TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
INSERT INTO identity_providers
SELECT teamspace_id, teamspace_id,
    CASE provider WHEN 'okta' THEN 'Okta' WHEN 'claude' THEN 'Claude' ELSE 'OpenID Connect' END,
    provider, issuer, NULL, jwks_uri, scope, groups_claim, '[]', enabled, created_at, updated_at
FROM identity_providers_kept;
DROP TABLE identity_providers_kept;

-- Issuer and tenant decide where an assertion leads. Without a tenant there is one as well, not many.
CREATE UNIQUE INDEX identity_providers_by_issuer ON identity_providers (issuer, COALESCE(tenant, ''));
CREATE INDEX identity_providers_by_teamspace ON identity_providers (teamspace_id);

-- Empty: none is known.
ALTER TABLE sign_ins ADD COLUMN identity_provider_id TEXT NOT NULL DEFAULT '';
