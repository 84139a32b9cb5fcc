-- Tokens that are no longer active: "tokens of this object that were issued at or before this time". Processes follow
-- the table by position, which rises by one with each commit. The tag shows whether a position is still the same row
-- after a failover or a restored backup.
CREATE TABLE revocations (
    position BIGINT NOT NULL PRIMARY KEY,
    tag BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    -- The id of the token, member, teamspace, …; for a publication the resource's and the teamspace's id.
    object TEXT COLLATE "C" NOT NULL,
    -- The object as tokens name it, such as a teamspace's slug.
    name TEXT NOT NULL,
    teamspace_id TEXT COLLATE "C",
    -- Only tokens for this resource.
    resource_id TEXT COLLATE "C",
    issued_until BIGINT NOT NULL,
    at BIGINT NOT NULL,
    cause TEXT NOT NULL,
    request_id TEXT NOT NULL
);
CREATE INDEX revocations_by_time ON revocations (at);
CREATE INDEX revocations_by_object ON revocations (kind, object, position);

-- How often a token was looked at, counted in steps.
CREATE TABLE token_uses (
    token_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    introspections BIGINT NOT NULL,
    forward_auths BIGINT NOT NULL,
    first_used_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX token_uses_by_expiry ON token_uses (expires_at);

-- Credentials of MCP servers, for introspection, the list of revocations and forward-auth. The secret is kept as a
-- digest.
CREATE TABLE resource_credentials (
    client_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    resource_id TEXT COLLATE "C" NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    secret_digest TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX resource_credentials_by_resource ON resource_credentials (resource_id);
-- Scopes that forward-auth demands of every request, as a JSON list.
ALTER TABLE resources ADD COLUMN required_scopes TEXT NOT NULL DEFAULT '[]';
-- Whether forward-auth wants the resource's credentials.
ALTER TABLE resources ADD COLUMN forward_auth_credentials BOOLEAN NOT NULL DEFAULT FALSE;

-- Kill switches that are on.
CREATE TABLE kill_switches (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    scope TEXT COLLATE "C" NOT NULL,
    -- The teamspace's, resource's or client's id, or the issuer; empty for everything.
    object TEXT COLLATE "C" NOT NULL,
    reason TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (scope, object)
);

-- The client id at the identity provider to which it sends logout tokens.
ALTER TABLE identity_providers ADD COLUMN logout_client_id TEXT COLLATE "C";

-- Tokens of a teamspace's identity provider for SCIM, as digests.
CREATE TABLE scim_tokens (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    teamspace_id TEXT COLLATE "C" NOT NULL REFERENCES teamspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    token_digest TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX scim_tokens_by_teamspace ON scim_tokens (teamspace_id);
-- What the identity provider says by SCIM about members.
CREATE TABLE scim_users (
    member_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    teamspace_id TEXT COLLATE "C" NOT NULL REFERENCES teamspaces (id) ON DELETE CASCADE,
    -- Lower case.
    user_name TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C",
    -- The rest as JSON.
    profile TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX scim_users_by_name ON scim_users (teamspace_id, user_name);
CREATE INDEX scim_users_by_external_id ON scim_users (teamspace_id, external_id);
