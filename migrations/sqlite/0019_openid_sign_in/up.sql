-- The groups that the identity provider told at the sign-in, as a JSON array.
ALTER TABLE console_sessions ADD COLUMN user_groups TEXT NOT NULL DEFAULT '[]';

-- Sign-ins by OpenID Connect that were finished. What the browser holds of one is kept as a digest, so that nobody can
-- finish it a second time.
CREATE TABLE console_finished_sign_ins (
    digest TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

-- Whoever signs in to the console by an address is looked for in all teamspaces.
CREATE INDEX members_by_email ON members (email);
