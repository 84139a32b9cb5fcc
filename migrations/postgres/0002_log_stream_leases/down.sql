ALTER TABLE log_streams DROP COLUMN held_until;
ALTER TABLE log_streams DROP COLUMN holder;
