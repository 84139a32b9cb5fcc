-- Whether tokens for a resource, or of a client, must be bound to a key (RFC 9449 §5.2).
ALTER TABLE resources ADD COLUMN dpop_bound_access_tokens BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE clients ADD COLUMN dpop_bound_access_tokens BOOLEAN NOT NULL DEFAULT FALSE;
