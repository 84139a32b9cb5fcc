-- Only what the older version can believe as it was meant stays: of each teamspace one provider, that pins no tenant.
ALTER TABLE sign_ins DROP COLUMN identity_provider_id;

ALTER TABLE identity_providers RENAME TO identity_providers_kept;

CREATE TABLE identity_providers (
    teamspace_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES teamspaces (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    issuer TEXT COLLATE "C" NOT NULL UNIQUE,
    jwks_uri TEXT NOT NULL,
    scope TEXT NOT NULL,
    groups_claim TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
INSERT INTO identity_providers
SELECT teamspace_id, kind, issuer, jwks_uri, scope, groups_claim, enabled, created_at, updated_at
FROM identity_providers_kept AS kept
WHERE tenant IS NULL AND NOT EXISTS (
    SELECT 1 FROM identity_providers_kept AS other
    WHERE other.teamspace_id = kept.teamspace_id AND other.tenant IS NULL
        AND (other.created_at < kept.created_at OR (other.created_at = kept.created_at AND other.id < kept.id))
);
DROP TABLE identity_providers_kept;
