ALTER TABLE teamspaces DROP COLUMN time_zone;
