-- The facts that a sign-in was decided on, as JSON: what other policies would have said can then be asked.
ALTER TABLE sign_ins ADD COLUMN facts TEXT NOT NULL DEFAULT '';

-- Policy sets that were in force, by the hash that sign-ins name. `content` is JSON: schema and files.
CREATE TABLE policy_sets (
    hash TEXT NOT NULL PRIMARY KEY,
    content TEXT NOT NULL,
    first_loaded_at BIGINT NOT NULL,
    last_in_force_at BIGINT NOT NULL
);
