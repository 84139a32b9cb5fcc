-- Times are seconds since 1970-01-01T00:00:00Z. Lists are JSON arrays of strings.

CREATE TABLE teamspaces (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    plan TEXT NOT NULL,
    member_limit BIGINT,
    created_at BIGINT NOT NULL
);

-- A domain belongs to one teamspace, or two customers could claim one person.
CREATE TABLE email_domains (
    domain TEXT NOT NULL PRIMARY KEY,
    teamspace_id TEXT NOT NULL REFERENCES teamspaces (id) ON DELETE CASCADE
);

-- An issuer belongs to one teamspace, which is what decides where an assertion leads.
CREATE TABLE identity_providers (
    teamspace_id TEXT NOT NULL PRIMARY KEY REFERENCES teamspaces (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL UNIQUE,
    jwks_uri TEXT NOT NULL,
    scope TEXT NOT NULL,
    groups_claim TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE resources (
    id TEXT NOT NULL PRIMARY KEY,
    identifier TEXT NOT NULL,
    normalized TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    default_scopes TEXT NOT NULL,
    teamspaces TEXT,
    created_at BIGINT NOT NULL
);

CREATE TABLE clients (
    client_id TEXT NOT NULL PRIMARY KEY,
    client_name TEXT NOT NULL,
    token_endpoint_auth_method TEXT NOT NULL,
    grant_types TEXT NOT NULL,
    client_groups TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);

-- At most two a client, while one replaces the other.
CREATE TABLE client_secrets (
    id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    secret_digest TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE members (
    id TEXT NOT NULL PRIMARY KEY,
    teamspace_id TEXT NOT NULL REFERENCES teamspaces (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    provisioned_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_sign_in_at BIGINT,
    sessions_ended_at BIGINT,
    UNIQUE (teamspace_id, email)
);

-- Whom an issuer's subject is here. `tenant` is empty when the assertion names none.
CREATE TABLE identities (
    teamspace_id TEXT NOT NULL REFERENCES teamspaces (id) ON DELETE CASCADE,
    issuer TEXT NOT NULL,
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    PRIMARY KEY (teamspace_id, issuer, tenant, subject)
);
CREATE INDEX identities_by_member ON identities (member_id);

-- A row is an assertion that was redeemed: the primary key is what makes it single use.
-- `assertion` is SHA-256 over issuer and jti.
CREATE TABLE used_assertions (
    assertion TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX used_assertions_by_expiry ON used_assertions (expires_at);

-- The decision log: one row for every request at the token endpoint, whatever came of it.
CREATE TABLE sign_ins (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at BIGINT NOT NULL,
    teamspace_id TEXT,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    request_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    email TEXT NOT NULL,
    member_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    scopes_asked TEXT NOT NULL,
    scopes_granted TEXT NOT NULL,
    decisions TEXT NOT NULL,
    policy_set TEXT NOT NULL,
    assertion TEXT NOT NULL,
    token_id TEXT NOT NULL
);
CREATE INDEX sign_ins_by_teamspace ON sign_ins (teamspace_id, id);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    alg TEXT NOT NULL,
    private_key TEXT NOT NULL,
    encrypted BOOLEAN NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Published before it signs, so that verifiers with a cached key set know it by then.
    signs_from BIGINT NOT NULL
);

CREATE TABLE admin_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    token_digest TEXT NOT NULL UNIQUE,
    teamspace_id TEXT REFERENCES teamspaces (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);

-- Who changed what, with the values before and after.
CREATE TABLE admin_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    teamspace_id TEXT,
    request_id TEXT NOT NULL,
    old_value TEXT,
    new_value TEXT
);

-- Raised by every change of configuration, so that every process notices it.
CREATE TABLE generation (
    id BIGINT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO generation (id, value) VALUES (1, 1);
