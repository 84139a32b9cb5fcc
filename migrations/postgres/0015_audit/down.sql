DROP TABLE log_seals;
ALTER TABLE admin_events DROP COLUMN address;
ALTER TABLE admin_events DROP COLUMN actor_id;
ALTER TABLE admin_events DROP COLUMN actor_kind;
