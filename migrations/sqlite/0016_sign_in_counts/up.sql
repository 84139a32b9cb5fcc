-- Counts of the decision log, so that no page has to count its rows. `log_streams` has a row named `sign-in counts`
-- that says up to which sign-in they go.

-- `teamspace_id` is empty for requests that led to no teamspace, and `*` for all requests together. `hour` is the time
-- at which it begins. `reason` is empty for grants.
CREATE TABLE sign_in_counts (
    teamspace_id TEXT NOT NULL,
    hour BIGINT NOT NULL,
    reason TEXT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (teamspace_id, hour, reason)
) WITHOUT ROWID;
CREATE INDEX sign_in_counts_by_hour ON sign_in_counts (hour);

-- Tokens that a client got for a member. `month` is the year and the month as one number, such as 202611.
CREATE TABLE member_exchanges (
    month BIGINT NOT NULL,
    member_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (month, member_id, client_id)
) WITHOUT ROWID;

-- The last assertion of each identity provider. `reason` is empty for grants; `granted_at` is when one was granted last.
CREATE TABLE last_assertions (
    identity_provider_id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    request_id TEXT NOT NULL,
    granted_at BIGINT
);

-- How often a policy determined an answer. `day` is the time at which it begins, in UTC.
CREATE TABLE policy_counts (
    day BIGINT NOT NULL,
    policy TEXT NOT NULL,
    allowed BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    PRIMARY KEY (day, policy)
) WITHOUT ROWID;
