-- name: log_lock
-- Takes the turn of one log until the transaction ends, or says at once that another process has it.
SELECT pg_try_advisory_xact_lock($1::integer, $2::integer);

-- name: log_is_open
-- Tells whether a log is the newest one: an older one is closed for good. Asked after the lock, so that it sees who closed it before.
SELECT NOT EXISTS (SELECT 1 FROM log WHERE id > $1);

-- name: log_newest
-- Finds the log that grows now.
SELECT max(id) FROM log;

-- name: log_numbers
-- Lists all logs, oldest first.
SELECT id FROM log ORDER BY id;

-- name: log_stopped
-- Reads why a log may not be believed, if it may not.
SELECT stopped FROM log WHERE id = $1;

-- name: log_stop
-- Marks a log as one that may not be believed; the first reason stays.
UPDATE log SET stopped = $2 WHERE id = $1 AND stopped IS NULL;

-- name: log_open
-- Opens a log after the one before it was closed, with the entry that closed it.
INSERT INTO log (id, opened_at, opening) VALUES ($1, $2, $3);

-- name: log_signed_sizes
-- Reads all signed checkpoints of one log, largest first.
SELECT size, root, note, at FROM log_checkpoint WHERE log = $1 ORDER BY size DESC;

-- name: log_size
-- Counts the places of one log that were given out.
SELECT coalesce(max(seq) + 1, 0) FROM log_entry WHERE log = $1;

-- name: log_waiting
-- Reads the oldest unsequenced entries with their leaves, in the order they get their places.
-- One look-up an entry (LATERAL with LIMIT): joined freely, a planner without statistics reads the whole table.
SELECT first.shard, first.id, entry.leaf
FROM (SELECT shard, at, id FROM to_sequence ORDER BY at, id LIMIT $1) AS first
LEFT JOIN LATERAL (SELECT leaf FROM entry WHERE entry.shard = first.shard AND entry.id = first.id LIMIT 1) AS entry ON true
ORDER BY first.at, first.id;

-- name: log_waiting_entry
-- Reads one unsequenced entry with its leaf.
SELECT entry.shard, entry.id, entry.leaf
FROM entry
JOIN to_sequence ON to_sequence.shard = entry.shard AND to_sequence.id = entry.id
WHERE entry.shard = $1 AND entry.id = $2;

-- name: log_append
-- Gives entries their places from a size on, in the order of the arrays.
INSERT INTO log_entry (log, seq, shard, entry)
SELECT $1, $2 + given.place - 1, given.shard, given.entry
FROM unnest($3::smallint[], $4::uuid[]) WITH ORDINALITY AS given (shard, entry, place);

-- name: log_unqueue
-- Takes entries that got their places out of the queue.
DELETE FROM to_sequence
USING unnest($1::smallint[], $2::uuid[]) AS given (shard, id)
WHERE to_sequence.shard = given.shard AND to_sequence.id = given.id;

-- name: log_keep_tiles
-- Keeps the tiles that changed, each with all its hashes.
INSERT INTO log_tile (log, level, n, hashes)
SELECT $1, given.level, given.n, given.hashes
FROM unnest($2::smallint[], $3::bigint[], $4::bytea[]) AS given (level, n, hashes)
ON CONFLICT (log, level, n) DO UPDATE SET hashes = EXCLUDED.hashes;

-- name: log_tiles
-- Reads tiles by level and number.
SELECT log_tile.level, log_tile.n, log_tile.hashes
FROM unnest($2::smallint[], $3::bigint[]) AS asked (level, n)
JOIN log_tile ON log_tile.log = $1 AND log_tile.level = asked.level AND log_tile.n = asked.n;

-- name: log_tiles_beyond
-- Finds tiles of one log that lie right of the given last tiles, or on other levels.
SELECT log_tile.level, log_tile.n
FROM log_tile
LEFT JOIN unnest($2::smallint[], $3::bigint[]) AS last (level, n) ON last.level = log_tile.level
WHERE log_tile.log = $1 AND (last.n IS NULL OR log_tile.n > last.n)
ORDER BY log_tile.level, log_tile.n
LIMIT 100;

-- name: log_keep_checkpoint
-- Keeps a signed checkpoint; the same size is never signed with another root.
INSERT INTO log_checkpoint (log, size, root, note, at) VALUES ($1, $2, $3, $4, $5);

-- name: log_newest_checkpoint
-- Reads the newest signed checkpoint of one log.
SELECT size, root, note, at FROM log_checkpoint WHERE log = $1 ORDER BY size DESC LIMIT 1;

-- name: log_checkpoints
-- Reads signed checkpoints of sizes in a range, smallest first.
SELECT size, root, note, at FROM log_checkpoint WHERE log = $1 AND size > $2 AND size <= $3 ORDER BY size;

-- name: log_place_of
-- Finds the place of one entry, with its leaf; an entry's id names its shard.
SELECT log_entry.seq, log_entry.entry, entry.leaf
FROM log_entry
LEFT JOIN entry ON entry.shard = log_entry.shard AND entry.id = log_entry.entry
WHERE log_entry.log = $1 AND log_entry.entry = $2;

-- name: log_leaves
-- Reads the leaves of a run of places in order.
SELECT log_entry.seq, entry.leaf
FROM log_entry
JOIN LATERAL (SELECT leaf FROM entry WHERE entry.shard = log_entry.shard AND entry.id = log_entry.entry LIMIT 1) AS entry ON true
WHERE log_entry.log = $1 AND log_entry.seq >= $2 AND log_entry.seq < $3
ORDER BY log_entry.seq;

-- name: audit_begins
-- Gives the audit's transaction room to sort and join in, for its reads are few and large, and lets it wait for a crew that reads for it.
SELECT set_config('work_mem', '64MB', true), set_config('idle_in_transaction_session_timeout', '0', true);

-- name: share_snapshot
-- Lets other connections see what this transaction sees.
SELECT pg_export_snapshot();

-- name: audit_counts
-- Counts the places of one log and all entries, for a report of progress.
-- every shard: an audit reads everything
SELECT (SELECT count(*) FROM log_entry WHERE log = $1), (SELECT count(*) FROM entry);

-- name: audit_places
-- Reads all places of one log in order with the leaves that stand there.
SELECT log_entry.seq, log_entry.entry, entry.leaf
FROM log_entry
LEFT JOIN entry ON entry.shard = log_entry.shard AND entry.id = log_entry.entry
WHERE log_entry.log = $1
ORDER BY log_entry.seq;

-- name: audit_entries
-- Reads all entries of some shards (from $1 on, before $2) chain by chain, with their places and whether they wait for one.
-- The shards are named for the places too: PostgreSQL would sort those of all shards otherwise.
SELECT entry.shard, entry.id, entry.leaf, entry.sub, entry.ver, entry.at, entry.kind, entry.act, entry.brand, entry.channel,
       entry.category, entry.src, entry.effect, log_entry.log, log_entry.seq, to_sequence.id IS NOT NULL AS waits
FROM entry
LEFT JOIN log_entry ON log_entry.entry = entry.id AND log_entry.shard = entry.shard AND log_entry.shard >= $1 AND log_entry.shard < $2
LEFT JOIN to_sequence ON to_sequence.shard = entry.shard AND to_sequence.id = entry.id
WHERE entry.shard >= $1 AND entry.shard < $2
ORDER BY entry.shard, entry.sub, entry.ver;

-- name: audit_subjects
-- Reads what the ledger determines of subjects, by pseudonym.
SELECT subject.pseudonym, subject.version, subject.length, subject.head, subject.last_at, subject.state
FROM unnest($1::smallint[], $2::bytea[]) AS asked (shard, pseudonym)
JOIN subject ON subject.shard = asked.shard AND subject.pseudonym = asked.pseudonym;

-- name: audit_unfounded
-- Finds subjects that have state though no entry is about them.
SELECT subject.pseudonym
FROM subject
LEFT JOIN entry ON entry.shard = subject.shard AND entry.sub = subject.pseudonym
WHERE entry.id IS NULL AND (subject.length <> 0 OR subject.version <> 0 OR subject.state NOT IN ('', '{}') OR subject.head <> '')
LIMIT 100;

-- name: audit_misqueued
-- Finds queued ids that have a place already or no entry.
SELECT to_sequence.id
FROM to_sequence
LEFT JOIN entry ON entry.shard = to_sequence.shard AND entry.id = to_sequence.id
LEFT JOIN log_entry ON log_entry.entry = to_sequence.id
WHERE entry.id IS NULL OR log_entry.entry IS NOT NULL
LIMIT 100;

-- name: audit_details
-- Reads the sealed personal parts of entries.
SELECT detail.entry, detail.sealed
FROM unnest($1::smallint[], $2::uuid[]) AS asked (shard, entry)
JOIN detail ON detail.shard = asked.shard AND detail.entry = asked.entry;
