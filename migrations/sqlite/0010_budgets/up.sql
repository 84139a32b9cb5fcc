-- How many further refusals of the same kind a row stands for: beyond a few a minute they are counted, not written.
ALTER TABLE sign_ins ADD COLUMN repeated BIGINT NOT NULL DEFAULT 0;
-- A teamspace's page of the audit log costs what is on it, however much is about others.
CREATE INDEX admin_events_by_teamspace ON admin_events (teamspace_id, id);
