-- The facts that a sign-in was decided on, as JSON: what other policies would have said can then be asked.
ALTER TABLE sign_ins ADD COLUMN facts TEXT NOT NULL DEFAULT '';

-- Policy sets that were in force, by the hash that sign-ins name. `content` is JSON: schema and files.
CREATE TABLE policy_sets (
    hash TEXT NOT NULL PRIMARY KEY,
    content TEXT NOT NULL,
    first_loaded_at BIGINT NOT NULL,
    last_in_force_at BIGINT NOT NULL
);

-- Decisions that a shadow set would have made otherwise. `actual`, `shadow` (outcomes), `policies` (whose
-- answers differ) and `facts` are JSON.
CREATE TABLE shadow_differences (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    teamspace_id TEXT,
    policy_set TEXT NOT NULL,
    shadow_set TEXT NOT NULL,
    actual TEXT NOT NULL,
    shadow TEXT NOT NULL,
    policies TEXT NOT NULL,
    facts TEXT NOT NULL
);

-- How many decisions of a policy set a shadow set was asked about, how many differed, and how many of these
-- could not be written down.
CREATE TABLE shadow_runs (
    shadow_set TEXT NOT NULL,
    policy_set TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    evaluated BIGINT NOT NULL,
    different BIGINT NOT NULL,
    dropped BIGINT NOT NULL,
    PRIMARY KEY (shadow_set, policy_set)
);
