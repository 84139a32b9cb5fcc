DROP TRIGGER used_assertions_of_older_versions;
DROP TABLE log_streams;
DROP TABLE replicas;
DROP TABLE changes;
ALTER TABLE teamspaces DROP COLUMN seats_used;
-- The short keys stay: an assertion that was redeemed before could be redeemed again until it expires.
CREATE INDEX used_assertions_by_expiry ON used_assertions (expires_at);
