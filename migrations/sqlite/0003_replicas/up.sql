-- A key of 132 bits is as good as one of 256 here, and half the size. The rows are swept in the order of their
-- keys: an index on the time would cost every sign-in a write.
DROP INDEX used_assertions_by_expiry;
UPDATE used_assertions SET assertion = substr(assertion, 1, 22);
-- A process of the version before, which goes on for some seconds while the next one starts, would not find these keys:
-- it must not redeem anything any more.
CREATE TRIGGER used_assertions_of_older_versions BEFORE INSERT ON used_assertions
WHEN length(NEW.assertion) = 43
BEGIN
    SELECT RAISE(ABORT, 'the database is of a newer version');
END;

-- Counted as members come and go: what it takes to know whether a seat is free must not grow with the members.
ALTER TABLE teamspaces ADD COLUMN seats_used BIGINT NOT NULL DEFAULT 0;
UPDATE teamspaces SET seats_used = (
    SELECT count(*) FROM members
    WHERE members.teamspace_id = teamspaces.id AND members.status IN ('active', 'invited')
);

-- What each generation of the configuration changed, so that a process reads again only that. `kind` is
-- teamspace, client, resource, member or signing_key; `object` is an id: a member's is its teamspace's.
CREATE TABLE changes (
    generation BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- The processes that serve this database, and the policies that each of them decides by.
CREATE TABLE replicas (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    policy_set TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);

-- How far the decision log was sent to each place.
CREATE TABLE log_streams (
    name TEXT NOT NULL PRIMARY KEY,
    last_id BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
