CREATE TABLE identities_kept AS SELECT * FROM identities;
DROP TABLE identities;
CREATE TABLE members_kept AS SELECT * FROM members;
DROP TABLE members;

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
INSERT INTO members SELECT * FROM members_kept ORDER BY created_at;
DROP TABLE members_kept;

CREATE TABLE identities (
    teamspace_id TEXT NOT NULL REFERENCES teamspaces (id) ON DELETE CASCADE,
    issuer TEXT NOT NULL,
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    PRIMARY KEY (teamspace_id, issuer, tenant, subject)
);
INSERT INTO identities SELECT * FROM identities_kept ORDER BY teamspace_id, issuer, tenant, subject;
DROP TABLE identities_kept;
CREATE INDEX identities_by_member ON identities (member_id);
