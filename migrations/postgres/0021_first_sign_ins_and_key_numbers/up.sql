-- When somebody signed in first. Of members who came by a sign-in before this migration, that is created_at.
ALTER TABLE members ADD COLUMN first_sign_in_at BIGINT;
-- Keys in the order in which they were made: of two that sign from the same second on, the newer one signs.
ALTER TABLE signing_keys ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
