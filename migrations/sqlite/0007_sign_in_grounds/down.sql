UPDATE sign_ins SET (decisions, facts) = (
    SELECT g.decisions, json_patch(g.facts, sign_ins.facts) FROM sign_in_grounds g WHERE g.digest = sign_ins.grounds
) WHERE grounds IN (SELECT digest FROM sign_in_grounds);
ALTER TABLE sign_ins DROP COLUMN grounds;
DROP TABLE sign_in_grounds;
