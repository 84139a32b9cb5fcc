ALTER TABLE resources DROP COLUMN tool_policies;
