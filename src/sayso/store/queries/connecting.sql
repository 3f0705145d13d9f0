-- name: add_connection
-- Keeps a new connection; what it is told event by event begins at the end of the log.
INSERT INTO connection (id, connector, name, brand, grain, settings, description, state, cause, created_at, backfilled, feed_seq)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, (SELECT coalesce(max(seq) + 1, 0) FROM log_entry WHERE log = 0));

-- name: save_connection
-- Keeps what an operator may change of a connection that is not gone.
UPDATE connection SET name = $2, brand = $3, grain = $4, settings = $5, description = $6, state = $7, cause = $8, backfilled = $9
WHERE id = $1 AND state <> 'gone';

-- name: remove_connection
-- Makes a connection gone and forgets its settings with their secrets.
UPDATE connection SET state = 'gone', cause = NULL, settings = $2 WHERE id = $1;

-- name: forget_work
-- Forgets a connection's work in one shard; the acknowledgements stay in the ledger.
DELETE FROM work WHERE shard = $1 AND connection = $2;

-- name: newest_transaction
-- The id of a transaction that begins now.
SELECT pg_current_xact_id()::text;

-- name: ended_before
-- Whether every transaction older than this one has ended, so that what it wrote can be seen.
SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8;

-- name: backfill_addresses
-- Plans work for every address of one shard that anything was ever recorded about.
INSERT INTO work (shard, connection, sub, wanted_at, due_at)
SELECT s.shard, $2, s.pseudonym, n.now, n.now
FROM subject s, (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) n
WHERE s.shard = $1 AND s.version > 0 AND s.kind NOT IN ('contact', 'connection', 'hub')
ORDER BY s.pseudonym
ON CONFLICT (shard, connection, sub) DO UPDATE SET wanted = work.wanted + 1, parked = false,
    wanted_at = CASE WHEN work.acked >= work.wanted THEN excluded.wanted_at ELSE work.wanted_at END,
    due_at = CASE WHEN work.lease IS NULL THEN excluded.due_at ELSE work.due_at END;

-- name: backfill_contacts
-- Plans work for every contact of one shard, and for every address there that belongs to no contact.
INSERT INTO work (shard, connection, sub, wanted_at, due_at)
SELECT s.shard, $2, s.pseudonym, n.now, n.now
FROM subject s, (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) n
WHERE s.shard = $1 AND s.version > 0 AND s.kind NOT IN ('connection', 'hub')
  AND (s.kind = 'contact' OR s.state = '' OR NOT EXISTS (
    SELECT FROM jsonb_each(coalesce(convert_from(s.state, 'UTF8')::jsonb -> 'k', '{}')) AS link (other, said) WHERE said ->> 0 = 'contact'))
ORDER BY s.pseudonym
ON CONFLICT (shard, connection, sub) DO UPDATE SET wanted = work.wanted + 1, parked = false,
    wanted_at = CASE WHEN work.acked >= work.wanted THEN excluded.wanted_at ELSE work.wanted_at END,
    due_at = CASE WHEN work.lease IS NULL THEN excluded.due_at ELSE work.due_at END;

-- name: mark_backfilled
-- Notes that a connection was backfilled; one that was changed meanwhile is backfilled again.
UPDATE connection SET backfilled = true WHERE id = $1 AND brand = $2 AND grain = $3;

-- name: replay_work
-- Plans again what changed or was told since a time; a running delivery keeps its lease.
-- every shard: one connection's rows lie in any shard
UPDATE work w SET wanted = w.wanted + 1, parked = false,
    wanted_at = CASE WHEN w.acked >= w.wanted THEN n.now ELSE w.wanted_at END,
    due_at = CASE WHEN w.lease IS NULL THEN n.now ELSE w.due_at END
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) n
WHERE w.connection = $1 AND greatest(w.wanted_at, coalesce(w.acked_at, 0)) >= $2;

-- name: begin_pull
-- Takes the turn of pulling from a connection when its last pull is long enough ago.
UPDATE connection c SET pulled_at = n.now
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) n
WHERE c.id = $1 AND c.state <> 'gone' AND (c.pulled_at IS NULL OR c.pulled_at + $2 <= n.now) RETURNING c.id;

-- name: end_pull
-- Moves a pull's cursor unless somebody else moved it; NULL as its time makes the next turn due at once.
UPDATE connection SET cursor = $3, pulled_at = CASE WHEN $4 THEN NULL ELSE pulled_at END
WHERE id = $1 AND cursor IS NOT DISTINCT FROM $2;

-- name: unread_work
-- What a connection acknowledged and nobody has read back since, the newest first.
-- every shard: one connection's rows lie in any shard
SELECT w.sub, w.told FROM work w
WHERE w.connection = $1 AND w.acked >= w.wanted AND w.acked > 0 AND w.told IS NOT NULL AND w.read_back IS NULL ORDER BY w.acked_at DESC LIMIT $2;

-- name: note_read_back
-- Keeps what was read back of acknowledged rows; one that differs is due again.
UPDATE work w SET read_back = r.found, wanted = w.wanted + (r.found = 'differs')::int,
    wanted_at = CASE WHEN r.found = 'differs' THEN n.now ELSE w.wanted_at END,
    due_at = CASE WHEN r.found = 'differs' THEN n.now ELSE w.due_at END
FROM unnest($2::smallint[], $3::bytea[], $4::text[]) AS r(shard, sub, found),
     (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) n
WHERE w.shard = r.shard AND w.connection = $1 AND w.sub = r.sub AND w.acked >= w.wanted;
