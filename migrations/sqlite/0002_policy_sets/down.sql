DROP TABLE policy_sets;
ALTER TABLE sign_ins DROP COLUMN facts;
