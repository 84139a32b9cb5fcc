DROP INDEX admin_events_by_teamspace;
ALTER TABLE sign_ins DROP COLUMN repeated;
