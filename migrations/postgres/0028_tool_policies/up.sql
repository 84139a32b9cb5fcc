-- Whether forward-auth asks the policies about each tool.
ALTER TABLE resources ADD COLUMN tool_policies BOOLEAN NOT NULL DEFAULT FALSE;
