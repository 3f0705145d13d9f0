-- The truth (subject names, entries, details, keys) and the caches over it (state, work).
-- The primary key of every hot table begins with `shard` (first byte of the subject id, 0..255): on one server a key prefix,
-- on a Citus cluster the distribution column. Times are microseconds since the epoch (bigint), as in the ledger's leaves.

CREATE TABLE instance (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    name text NOT NULL,                    -- origin of this instance's ledger
    pepper_check bytea NOT NULL,           -- start-up refuses when the pepper of the data folder is another one
    created_at bigint NOT NULL
);

CREATE TABLE subject (
    shard smallint NOT NULL,
    id bytea NOT NULL,                     -- HMAC-SHA-256(pepper, kind, value)
    kind text NOT NULL,
    pseudonym bytea NOT NULL,              -- what the ledger calls it: shard byte and 15 random bytes
    sealed bytea NOT NULL,                 -- the value as it was given, under the subject's data key
    version bigint NOT NULL DEFAULT 0,     -- moves when registers, blocks, pauses or links move
    length bigint NOT NULL DEFAULT 0,      -- entries in its chain
    head bytea NOT NULL DEFAULT '',        -- leaf hash of the newest one
    last_at bigint NOT NULL DEFAULT 0,
    state bytea NOT NULL DEFAULT '',
    PRIMARY KEY (shard, id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX subject_pseudonym ON subject (shard, pseudonym);

CREATE TABLE subject_key (
    shard smallint NOT NULL,
    pseudonym bytea NOT NULL,
    wrapped bytea NOT NULL,                -- data key under the key-encryption key; destroying it is the erasure
    PRIMARY KEY (shard, pseudonym)
);

CREATE TABLE entry (
    shard smallint NOT NULL,
    id uuid NOT NULL,                      -- version 7, last byte = shard
    sub bytea NOT NULL,                    -- pseudonym
    ver bigint NOT NULL,
    at bigint NOT NULL,
    kind text NOT NULL,
    act text NOT NULL,                     -- also the name of an event
    brand text,
    channel text,
    category text,
    src text NOT NULL,
    effect text NOT NULL,
    leaf bytea NOT NULL,                   -- verbatim; never updated
    PRIMARY KEY (shard, id)
);
CREATE UNIQUE INDEX entry_chain ON entry (shard, sub, ver);
CREATE INDEX entry_by_time ON entry (kind, at);

CREATE TABLE detail (
    shard smallint NOT NULL,
    entry uuid NOT NULL,
    sealed bytea NOT NULL,                 -- personal part and commitment salt, under the subject's data key
    PRIMARY KEY (shard, entry)
);

CREATE TABLE work (
    shard smallint NOT NULL,
    connection uuid NOT NULL,
    sub bytea NOT NULL,
    wanted bigint NOT NULL DEFAULT 1,
    acked bigint NOT NULL DEFAULT 0,
    wanted_at bigint NOT NULL,             -- when the oldest change that is not acknowledged was made
    acked_at bigint,
    told bytea,                            -- what was last acknowledged: canonical JSON, no personal data
    read_back text,
    due_at bigint NOT NULL,                -- also the end of the running lease
    lease uuid,
    delivery uuid,                         -- webhook-id of the state being delivered, kept over its retries
    delivery_wanted bigint,
    attempts integer NOT NULL DEFAULT 0,
    parked boolean NOT NULL DEFAULT false, -- no use in trying again before the next change: shown as drift
    unsure boolean NOT NULL DEFAULT false, -- the last attempt ended without an answer: one more push before it settles
    cause text,                            -- why it is not done yet
    origin text,                           -- the door the newest change came through
    PRIMARY KEY (shard, connection, sub)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX work_due ON work (connection, due_at) WHERE acked < wanted;
CREATE INDEX work_sub ON work (shard, sub);

CREATE TABLE verdict (
    shard smallint NOT NULL,
    day date NOT NULL,
    id uuid NOT NULL,                      -- version 7, last byte = shard
    sub bytea,
    allowed boolean NOT NULL,
    codes text[] NOT NULL,
    body bytea NOT NULL,                   -- the answer: scopes, codes and entry ids, no names
    PRIMARY KEY (shard, day, id)
) PARTITION BY RANGE (day);
CREATE TABLE verdict_rest PARTITION OF verdict DEFAULT;

CREATE TABLE verdict_batch (
    id uuid PRIMARY KEY,
    at bigint NOT NULL,
    count integer NOT NULL,
    hash bytea NOT NULL,                   -- SHA-256 over the batch's rows, sealed by one ledger entry
    sealed_by uuid
);
CREATE INDEX verdict_batch_open ON verdict_batch (at) WHERE sealed_by IS NULL;

CREATE TABLE to_sequence (
    shard smallint NOT NULL,
    at bigint NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (shard, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
-- Every row of the queue is written and deleted within a second: what vacuum leaves behind is what the next turn reads over.
CREATE INDEX to_sequence_order ON to_sequence (at, id);

CREATE TABLE log (
    id smallint PRIMARY KEY,               -- 0 for the first; its origin is the instance's name, of later ones name/2, name/3, …
    opened_at bigint NOT NULL,
    opening uuid,                          -- the entry that closed the log before it, first of this one
    stopped text                           -- why it may not be believed: checks deny until an operator closes it
);
INSERT INTO log (id, opened_at) VALUES (0, 0);

CREATE TABLE log_entry (
    log smallint NOT NULL,
    seq bigint NOT NULL,                   -- index in the tree, from 0
    shard smallint NOT NULL,
    entry uuid NOT NULL,
    PRIMARY KEY (log, seq)
);
CREATE UNIQUE INDEX log_entry_of ON log_entry (entry);

CREATE TABLE log_tile (
    log smallint NOT NULL,
    level smallint NOT NULL,
    n bigint NOT NULL,
    hashes bytea NOT NULL,                 -- up to 256 hashes; a partial tile is a prefix of the later one
    PRIMARY KEY (log, level, n)
) WITH (fillfactor = 50);

CREATE TABLE log_checkpoint (
    log smallint NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (log, size)
);
CREATE INDEX log_checkpoint_by_time ON log_checkpoint (at);

CREATE TABLE idempotency (
    shard smallint NOT NULL,
    client text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    sealed bytea NOT NULL,                 -- the stored answer, under a daily key
    day date NOT NULL,
    PRIMARY KEY (shard, client, key)
);

CREATE TABLE inbox (
    shard smallint NOT NULL,
    id uuid NOT NULL,
    connection uuid NOT NULL,
    received_at bigint NOT NULL,
    day date NOT NULL,
    sealed bytea NOT NULL,                 -- the call as it came: method, headers, query, raw body; under a daily key
    state text NOT NULL,                   -- new | done | refused | odd
    detail text,
    PRIMARY KEY (shard, id)
);
CREATE INDEX inbox_new ON inbox (received_at) WHERE state = 'new';
CREATE INDEX inbox_odd ON inbox (connection, received_at) WHERE state = 'odd';

CREATE TABLE seen_webhook (
    shard smallint NOT NULL,
    connection uuid NOT NULL,
    event bytea NOT NULL,                  -- SHA-256 of the vendor's event id
    at bigint NOT NULL,
    PRIMARY KEY (shard, connection, event)
);

CREATE TABLE attempt (
    shard smallint NOT NULL,
    id uuid NOT NULL,
    connection uuid NOT NULL,
    sub bytea,
    at bigint NOT NULL,
    milliseconds integer NOT NULL,
    status smallint,
    outcome text NOT NULL,
    delivery uuid,
    day date NOT NULL,
    sealed bytea,                          -- redacted request and answer, under a daily key
    PRIMARY KEY (shard, id)
);
CREATE INDEX attempt_of ON attempt (connection, id DESC);

CREATE TABLE daily_key (
    day date PRIMARY KEY,
    wrapped bytea NOT NULL                 -- destroyed after seven days
);

CREATE TABLE catalogue (
    version integer PRIMARY KEY,
    body text NOT NULL,
    at bigint NOT NULL
);

CREATE TABLE campaign (
    id text PRIMARY KEY,
    transactional boolean NOT NULL,
    category text,
    reason text,
    at bigint NOT NULL
);

CREATE TABLE connection (
    id uuid PRIMARY KEY,
    connector text NOT NULL,
    name text NOT NULL,
    brand text NOT NULL DEFAULT '*',
    grain text NOT NULL,                   -- address | contact: whom it is told about; none: single events only
    settings bytea NOT NULL,               -- sealed under the key-encryption key, bound to the id
    description text NOT NULL DEFAULT '',
    state text NOT NULL,                   -- active | paused | disabled | gone
    cause text,
    created_at bigint NOT NULL,
    backfilled boolean NOT NULL DEFAULT false,
    cursor text,                           -- where the next pull starts
    pulled_at bigint,
    feed_seq bigint NOT NULL DEFAULT 0,    -- event-by-event types were delivered up to here
    feed_attempts integer NOT NULL DEFAULT 0,
    feed_due_at bigint NOT NULL DEFAULT 0
);

CREATE TABLE client (
    id text PRIMARY KEY,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    relay_only boolean NOT NULL DEFAULT false,
    created_at bigint NOT NULL,
    revoked_at bigint
);

CREATE TABLE token (
    hash bytea PRIMARY KEY,                -- SHA-256 of the token; the token itself is nowhere
    client text NOT NULL REFERENCES client (id),
    scopes text[] NOT NULL,
    expires_at bigint NOT NULL,
    revoked_at bigint
);
