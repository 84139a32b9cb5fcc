DROP TABLE shadow_runs;
DROP TABLE shadow_differences;
DROP TABLE policy_sets;
ALTER TABLE sign_ins DROP COLUMN facts;
