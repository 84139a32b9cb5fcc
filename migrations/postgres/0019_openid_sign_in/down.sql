DROP INDEX members_by_email;
DROP TABLE console_finished_sign_ins;
ALTER TABLE console_sessions DROP COLUMN user_groups;
