ALTER TABLE signing_keys DROP COLUMN number;
ALTER TABLE members DROP COLUMN first_sign_in_at;
