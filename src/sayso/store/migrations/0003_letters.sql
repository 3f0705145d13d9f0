-- Letters that wait to be sent, how far confirming has read, what limits letters, and sign-ups that wait for the click in their mail.

CREATE TABLE letter (
    shard smallint NOT NULL,
    id uuid NOT NULL,                      -- version 7, last byte = shard; also the Message-ID, on every attempt
    sub bytea NOT NULL,                    -- pseudonym of the subject it belongs to
    kind text NOT NULL,                    -- confirmation | link | double_opt_in | offer
    made_at bigint NOT NULL,
    planned_at bigint NOT NULL,            -- when it was first to go out; what comes within a minute of it goes into one more
    due_at bigint NOT NULL,                -- also the end of the running lease
    lease uuid,
    attempts integer NOT NULL DEFAULT 0,   -- failed ones
    state text NOT NULL DEFAULT 'waiting', -- waiting | sent | parked | dropped
    cause text,                            -- why it was not taken; no personal data
    ended_at bigint,
    once bytea,                            -- SHA-256 of what it must be sent only once for
    sealed bytea NOT NULL,                 -- what it is about, under the subject's data key; emptied once it ended
    PRIMARY KEY (shard, id)
) WITH (fillfactor = 80);
CREATE INDEX letter_due ON letter (due_at) WHERE state = 'waiting';
CREATE INDEX letter_parked ON letter (ended_at) WHERE state = 'parked';
CREATE INDEX letter_of ON letter (shard, sub, kind, planned_at DESC);
CREATE UNIQUE INDEX letter_once ON letter (shard, sub, once) WHERE once IS NOT NULL;
CREATE INDEX letter_ended ON letter (ended_at) WHERE state IN ('sent', 'dropped');

CREATE TABLE letter_cursor (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    log smallint NOT NULL,
    seq bigint NOT NULL                    -- the next place to read
);
-- A hub that is upgraded begins where its log ends: nobody is told of what they did long ago.
INSERT INTO letter_cursor (log, seq)
SELECT log.id, (SELECT coalesce(max(seq) + 1, 0) FROM log_entry WHERE log_entry.log = log.id) FROM log ORDER BY log.id DESC LIMIT 1;

CREATE TABLE letter_limit (
    shard smallint NOT NULL,
    name bytea NOT NULL,                   -- HMAC of an address, a network, or of everybody
    times bigint[] NOT NULL,               -- when letters were asked for, oldest first
    forget_at bigint NOT NULL,
    PRIMARY KEY (shard, name)
);
CREATE INDEX letter_limit_over ON letter_limit (forget_at);

CREATE TABLE pending (
    shard smallint NOT NULL,
    id uuid NOT NULL,                      -- version 7, last byte = shard
    sub bytea NOT NULL,                    -- pseudonym of the address that was asked
    contact bytea,                         -- pseudonym of the contact it is for
    scopes text[] NOT NULL,                -- brand, channel, category, one triple after the other
    asked_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    confirmed_at bigint,
    sealed bytea NOT NULL,                 -- what is kept with the consent, under the address's data key
    PRIMARY KEY (shard, id)
);
CREATE INDEX pending_of ON pending (shard, sub) WHERE confirmed_at IS NULL;
CREATE INDEX pending_for ON pending (contact) WHERE confirmed_at IS NULL AND contact IS NOT NULL;
CREATE INDEX pending_over ON pending (expires_at);
