-- People who asked to be forgotten. Nothing here leads to anybody once an erasure is completed: what is left of a person is the keyed
-- hash in `subject`, with the restrictions under a fresh pseudonym.

CREATE TABLE erasure (
    shard smallint NOT NULL,
    id uuid NOT NULL,                      -- version 7, last byte = shard
    subject bytea,                         -- id of the subject it was asked for; null once completed
    state text NOT NULL,                   -- accepted | completed
    accepted_at bigint NOT NULL,
    completed_at bigint,
    due_at bigint NOT NULL,                -- when to look again whether it may be completed
    entries uuid[] NOT NULL DEFAULT '{}',  -- those that accepted it; empty once completed
    systems text NOT NULL DEFAULT '[]',    -- JSON: which connection knew of it when it was completed
    swept boolean NOT NULL DEFAULT false,  -- whether the files were cleared of deleted rows since
    PRIMARY KEY (shard, id)
);
CREATE UNIQUE INDEX erasure_open ON erasure (shard, subject) WHERE subject IS NOT NULL;
CREATE INDEX erasure_due ON erasure (due_at) WHERE state = 'accepted';
CREATE INDEX erasure_unswept ON erasure (completed_at) WHERE state = 'completed' AND NOT swept;
