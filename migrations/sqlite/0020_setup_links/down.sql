DROP INDEX console_sessions_by_time;
ALTER TABLE console_sessions DROP COLUMN browser;
DROP TABLE setup_links;
