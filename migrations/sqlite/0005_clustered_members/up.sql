-- Members and identities lie in the order of their keys, instead of behind a key that leads to a row number: a sign-in
-- looks through one tree less for each, and a newcomer changes two pages less.
--
-- Identities go first and come last: dropping the members that they refer to would delete them.
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
) WITHOUT ROWID;
INSERT INTO members SELECT * FROM members_kept ORDER BY id;
DROP TABLE members_kept;

CREATE TABLE identities (
    teamspace_id TEXT NOT NULL REFERENCES teamspaces (id) ON DELETE CASCADE,
    issuer TEXT NOT NULL,
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    PRIMARY KEY (teamspace_id, issuer, tenant, subject)
) WITHOUT ROWID;
INSERT INTO identities SELECT * FROM identities_kept ORDER BY teamspace_id, issuer, tenant, subject;
DROP TABLE identities_kept;
CREATE INDEX identities_by_member ON identities (member_id);
