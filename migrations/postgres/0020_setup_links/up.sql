-- Links by which a customer's administrator comes in once, to one teamspace. The secret in a link is kept as a digest.
CREATE TABLE setup_links (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL UNIQUE,
    teamspace_id TEXT COLLATE "C" NOT NULL REFERENCES teamspaces (id) ON DELETE CASCADE,
    -- The name of whoever made it.
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    -- The address that it was used from; empty until then.
    used_from TEXT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX setup_links_by_teamspace ON setup_links (teamspace_id, id);

-- The browser of a session by its plain name; empty where it is not known.
ALTER TABLE console_sessions ADD COLUMN browser TEXT NOT NULL DEFAULT '';
CREATE INDEX console_sessions_by_time ON console_sessions (created_at, id);
