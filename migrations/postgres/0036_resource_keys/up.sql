-- The public keys of credentials without a secret, as JSON, or where they are. Then the digest is empty.
ALTER TABLE resource_credentials ADD COLUMN jwks TEXT COLLATE "C";
ALTER TABLE resource_credentials ADD COLUMN jwks_uri TEXT COLLATE "C";
