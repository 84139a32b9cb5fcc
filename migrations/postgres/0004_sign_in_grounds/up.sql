-- What many sign-ins were decided on and how, kept once: most differ in the person and the time alone. A sign-in that
-- names `grounds` has no `decisions` of its own, and in `facts` only what comes on top. `facts` is JSON here as well.
CREATE TABLE sign_in_grounds (
    digest TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    decisions TEXT NOT NULL,
    facts TEXT NOT NULL,
    used_at BIGINT NOT NULL
);
ALTER TABLE sign_ins ADD COLUMN grounds TEXT COLLATE "C" NOT NULL DEFAULT '';
