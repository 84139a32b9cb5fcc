-- People who are signed in to the console. What the browser holds is kept as a digest.
CREATE TABLE console_sessions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    -- Empty for whoever came with a set-up token or a set-up link.
    email TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    -- The one teamspace that a set-up link is for.
    teamspace_id TEXT COLLATE "C" REFERENCES teamspaces (id) ON DELETE CASCADE,
    link_id TEXT COLLATE "C" NOT NULL,
    address TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX console_sessions_by_person ON console_sessions (email, kind);
CREATE INDEX console_sessions_by_teamspace ON console_sessions (teamspace_id);

-- Each signs an operator in once. A used one stays, as a sign that the deployment was set up.
CREATE TABLE console_setup_tokens (
    digest TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
