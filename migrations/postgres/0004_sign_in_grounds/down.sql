UPDATE sign_ins SET
    decisions = g.decisions,
    facts = (g.facts::jsonb || sign_ins.facts::jsonb || jsonb_build_object(
        'claims', (g.facts::jsonb -> 'claims') || (sign_ins.facts::jsonb -> 'claims')
    ))::text
FROM sign_in_grounds g WHERE g.digest = sign_ins.grounds;
ALTER TABLE sign_ins DROP COLUMN grounds;
DROP TABLE sign_in_grounds;
