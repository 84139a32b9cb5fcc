-- The keys of issuers as they were last fetched: they verify assertions while the issuer does not answer, also after a
-- restart. They are good for exactly this address of the keys.
CREATE TABLE issuer_keys (
    issuer TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    jwks_uri TEXT COLLATE "C" NOT NULL,
    -- JSON: the public keys that can be used, and the names of those that cannot.
    keys TEXT NOT NULL,
    fetched_at BIGINT NOT NULL,
    -- For how many seconds after that they are good without asking again.
    max_age BIGINT NOT NULL
);

-- What changed about the trust in an identity provider: by an administrator, or by the provider itself.
CREATE TABLE trust_changes (
    provider_id TEXT COLLATE "C" NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    -- Rises by one with each change of the provider.
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    -- The name of the administrator; empty for the identity provider itself.
    actor TEXT NOT NULL,
    request_id TEXT NOT NULL,
    -- JSON: the issuer, the address of the keys, the keys.
    old_value TEXT,
    new_value TEXT,
    PRIMARY KEY (provider_id, number)
);
