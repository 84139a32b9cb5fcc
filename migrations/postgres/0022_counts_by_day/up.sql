-- Requests are counted by day now, so the counts of all of them by hour are folded into days. The column keeps the name
-- `hour`, which processes of the version before use.
-- What they count meanwhile must not be lost.
LOCK TABLE sign_in_counts IN EXCLUSIVE MODE;
CREATE TEMPORARY TABLE days AS
    SELECT hour - hour % 86400 AS day, reason, CAST(SUM(number) AS BIGINT) AS number
    FROM sign_in_counts WHERE teamspace_id = '*' GROUP BY 1, 2;
DELETE FROM sign_in_counts WHERE teamspace_id = '*';
INSERT INTO sign_in_counts (teamspace_id, hour, reason, number) SELECT '*', day, reason, number FROM days;
DROP TABLE days;
