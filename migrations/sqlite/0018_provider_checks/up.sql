-- The last checks of each identity provider, for the people who look at it. Nothing is decided by them.
CREATE TABLE provider_checks (
    provider_id TEXT NOT NULL PRIMARY KEY REFERENCES identity_providers (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    -- A JSON array: the steps with their outcomes.
    steps TEXT NOT NULL
);
