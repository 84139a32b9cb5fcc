-- Who made a change, more precisely: what kind of actor, the id of their token, session or link, and the address that
-- the request came from. Commands have no id and no address.
ALTER TABLE admin_events ADD COLUMN actor_kind TEXT NOT NULL DEFAULT 'token';
ALTER TABLE admin_events ADD COLUMN actor_id TEXT NOT NULL DEFAULT '';
ALTER TABLE admin_events ADD COLUMN address TEXT NOT NULL DEFAULT '';
UPDATE admin_events SET actor_kind = 'command' WHERE actor = 'command line' AND request_id = '';

-- The chain of each log: a seal holds a digest of the rows after the seal before it, and of that seal. Nothing is
-- written to the rows themselves.
CREATE TABLE log_seals (
    -- 'decisions' or 'admin'
    log TEXT COLLATE "C" NOT NULL,
    -- From 1 on, without gaps.
    number BIGINT NOT NULL,
    -- Which columns of the rows the digest covers.
    format BIGINT NOT NULL,
    -- It covers every row after the last_id of the seal before, up to this id.
    last_id BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    newest_at BIGINT NOT NULL,
    sealed_at BIGINT NOT NULL,
    digest TEXT NOT NULL,
    -- Names the key that authenticates the seal; empty where none is configured, as the code then.
    key_id TEXT NOT NULL,
    code TEXT NOT NULL,
    -- Set when the rows were deleted because of their age: all of them were older than this time.
    pruned_before BIGINT,
    PRIMARY KEY (log, number)
);
