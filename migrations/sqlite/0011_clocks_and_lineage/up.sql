-- `generation` is the one row that every write of an exchange reads first.
-- `tag` is random and new with each value: after a failover that lost changes, or with a restored backup, the same value
-- comes again with another tag.
ALTER TABLE generation ADD COLUMN tag BIGINT NOT NULL DEFAULT 0;
-- Used assertions that expire before this may have been deleted; whatever expires before it is refused.
ALTER TABLE generation ADD COLUMN sweep_horizon BIGINT NOT NULL DEFAULT 0;
-- Assertions that were issued before this are refused. The largest number marks a backup that was not served yet.
ALTER TABLE generation ADD COLUMN issued_from BIGINT NOT NULL DEFAULT 0;
-- The tag of the generation before.
ALTER TABLE changes ADD COLUMN follows BIGINT NOT NULL DEFAULT 0;
UPDATE generation SET tag = random();
