-- The public keys of a client that signs its own assertions (RFC 7523 section 2.2): a JWK Set as JSON, or where one is.
-- A client that sends a secret has neither.
ALTER TABLE clients ADD COLUMN jwks TEXT;
ALTER TABLE clients ADD COLUMN jwks_uri TEXT;
