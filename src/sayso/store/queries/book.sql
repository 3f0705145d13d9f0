-- name: lock_subjects
-- Locks the rows of subjects in (shard, id) order, so that their entries get one order; gives their states.
-- The transaction gets its number here, before it looks for connections: a backfill waits for it even if it locks nobody.
SELECT s.shard, s.id, s.kind, s.pseudonym, s.version, s.length, s.head, s.last_at, s.state
FROM unnest($1::bytea[]) AS k(id) JOIN subject s ON s.shard = get_byte(k.id, 0) AND s.id = k.id
WHERE (SELECT pg_current_xact_id()) IS NOT NULL
ORDER BY s.shard, s.id FOR UPDATE OF s;

-- name: clock_and_spokes
-- The database's clock in microseconds, the connections that planning needs, and the wrapped data keys of locked subjects.
-- Not connections that want no states. Asked for after the locks: an erasure just before gave the subjects other keys.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now,
       (SELECT coalesce(array_agg(id::text || ' ' || grain), '{}') FROM connection WHERE state IN ('active', 'paused') AND grain <> 'none') AS spokes,
       held.subs, held.wrapped
FROM (
    SELECT coalesce(array_agg(k.pseudonym), '{}') AS subs, coalesce(array_agg(k.wrapped), '{}') AS wrapped
    FROM unnest($1::bytea[]) AS n(pseudonym) JOIN subject_key k ON k.shard = get_byte(n.pseudonym, 0) AND k.pseudonym = n.pseudonym
) AS held;

-- name: subjects_by_id
-- The rows of subjects named by their ids; one index probe each.
SELECT s.shard, s.id, s.kind, s.pseudonym, s.version, s.length, s.head, s.last_at, s.state
FROM unnest($1::smallint[], $2::bytea[]) AS k(shard, id) JOIN subject s ON s.shard = k.shard AND s.id = k.id;

-- name: subjects_by_pseudonym
-- The rows of subjects that others are linked to; one index probe each.
SELECT s.shard, s.id, s.kind, s.pseudonym, s.version, s.length, s.head, s.last_at, s.state
FROM unnest($1::smallint[], $2::bytea[]) AS k(shard, pseudonym) JOIN subject s ON s.shard = k.shard AND s.pseudonym = k.pseudonym;

-- name: names_of_subjects
-- The sealed values of subjects as they were given, with the wrapped keys that open them.
SELECT s.pseudonym, s.sealed, k.wrapped
FROM unnest($1::smallint[], $2::bytea[]) AS n(shard, pseudonym)
JOIN subject s ON s.shard = n.shard AND s.pseudonym = n.pseudonym
JOIN subject_key k ON k.shard = n.shard AND k.pseudonym = n.pseudonym;

-- name: append
-- Everything one transaction keeps: leaves, sealed details, their place in the sequencer's queue, states, new subjects, and work for the spokes.
-- New subjects come in (shard, id) order, like locks; whoever was made by another transaction meanwhile fails the statement.
WITH leaf AS (
    INSERT INTO entry (shard, id, sub, ver, at, kind, act, brand, channel, category, src, effect, leaf)
    SELECT shard, id, sub, ver, at, kind, act, brand, channel, category, src, effect, leaf FROM unnest($2::kept_entry[])
), personal AS (
    INSERT INTO detail (shard, entry, sealed) SELECT shard, id, sealed FROM unnest($2::kept_entry[])
), queued AS (
    INSERT INTO to_sequence (shard, at, id) SELECT shard, at, id FROM unnest($2::kept_entry[])
), saved AS (
    UPDATE subject s SET version = n.version, length = n.length, head = n.head, last_at = n.last_at, state = n.state
    FROM unnest($3::kept_state[]) AS n
    WHERE s.shard = n.shard AND s.id = n.id
), made AS (
    INSERT INTO subject (shard, id, version, length, head, last_at, state, kind, pseudonym, sealed)
    SELECT shard, id, version, length, head, last_at, state, kind, pseudonym, sealed
    FROM unnest($5::kept_subject[])
), keyed AS (
    INSERT INTO subject_key (shard, pseudonym, wrapped) SELECT shard, pseudonym, wrapped FROM unnest($5::kept_subject[])
)
INSERT INTO work (shard, connection, sub, wanted_at, due_at, origin)
SELECT w.shard, w.connection, w.sub, $1, $1, nullif(w.origin, '')
FROM unnest($4::kept_work[]) AS w
ORDER BY w.shard, w.connection, w.sub
ON CONFLICT (shard, connection, sub) DO UPDATE SET
    wanted = work.wanted + 1,
    origin = excluded.origin,
    wanted_at = CASE WHEN work.acked >= work.wanted THEN excluded.wanted_at ELSE work.wanted_at END,
    parked = false,
    due_at = CASE WHEN work.lease IS NULL AND (work.acked >= work.wanted OR work.parked) THEN excluded.due_at ELSE work.due_at END;

-- name: name_again
-- Gives subjects that were erased a data key again, and the name that somebody came with.
WITH named AS (
    UPDATE subject s SET sealed = n.sealed FROM unnest($1::smallint[], $2::bytea[], $4::bytea[]) AS n(shard, id, sealed)
    WHERE s.shard = n.shard AND s.id = n.id
)
INSERT INTO subject_key (shard, pseudonym, wrapped) SELECT * FROM unnest($1::smallint[], $3::bytea[], $5::bytea[]);

-- name: see_events
-- Notes vendors' event ids; gives back those that nobody had noted before.
INSERT INTO seen_webhook (shard, connection, event, at)
SELECT s.shard, s.connection, s.event, $4 FROM unnest($1::smallint[], $2::uuid[], $3::bytea[]) AS s(shard, connection, event)
ORDER BY s.shard, s.connection, s.event
ON CONFLICT DO NOTHING RETURNING connection, event;

-- name: find_memo
-- The stored answer under a client's idempotency key.
SELECT fingerprint, status, sealed, day FROM idempotency WHERE shard = $1 AND client = $2 AND key = $3;

-- name: keep_memo
-- Keeps an answer under a client's idempotency key, in the transaction of the write that it answers.
INSERT INTO idempotency (shard, client, key, fingerprint, status, sealed, day) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: entries_of_subject
-- A subject's entries in chain order, with their sealed details and their places in the log.
SELECT e.id, e.sub, e.act, e.leaf, d.sealed, l.seq
FROM entry e
LEFT JOIN detail d ON d.shard = e.shard AND d.entry = e.id
LEFT JOIN log_entry l ON l.entry = e.id
WHERE e.shard = $1 AND e.sub = $2 AND (cardinality($3::text[]) = 0 OR e.kind = ANY($3)) AND ($4::uuid IS NULL OR e.id > $4)
ORDER BY e.ver LIMIT $5;

-- name: latest_entries_of_subject
-- A subject's newest entries first; the pages go backwards.
SELECT e.id, e.sub, e.act, e.leaf, d.sealed, l.seq
FROM entry e
LEFT JOIN detail d ON d.shard = e.shard AND d.entry = e.id
LEFT JOIN log_entry l ON l.entry = e.id
WHERE e.shard = $1 AND e.sub = $2 AND (cardinality($3::text[]) = 0 OR e.kind = ANY($3)) AND ($4::uuid IS NULL OR e.id < $4)
ORDER BY e.ver DESC LIMIT $5;

-- name: latest_applied
-- Each subject's latest applied choice or pause, with its sealed detail and the wrapped key that opens it.
-- What policy spread from another channel is not a word of its own.
SELECT e.id, e.sub, e.act, e.leaf, d.sealed, NULL::bigint AS seq, k.wrapped
FROM unnest($1::smallint[], $2::bytea[]) AS n(shard, sub)
CROSS JOIN LATERAL (
    SELECT c.shard, c.id, c.sub, c.act, c.leaf FROM entry c
    WHERE c.shard = n.shard AND c.sub = n.sub AND c.kind IN ('choice', 'pause') AND c.effect = 'applied'
      AND (c.channel NOT IN ('ads', 'social') OR convert_from(c.leaf, 'UTF8')::jsonb ->> 'rule' IS DISTINCT FROM 'spread_from_email')
    ORDER BY c.ver DESC LIMIT 1
) AS e
LEFT JOIN detail d ON d.shard = e.shard AND d.entry = e.id
LEFT JOIN subject_key k ON k.shard = e.shard AND k.pseudonym = e.sub;

-- name: keys_of_subjects
-- The wrapped data keys of subjects.
SELECT k.pseudonym, k.wrapped FROM unnest($1::smallint[], $2::bytea[]) AS n(shard, pseudonym)
JOIN subject_key k ON k.shard = n.shard AND k.pseudonym = n.pseudonym;

-- name: daily_key
-- The wrapped key of one day.
SELECT wrapped FROM daily_key WHERE day = $1;

-- name: make_daily_key
-- Makes a day's key unless another process was first.
INSERT INTO daily_key (day, wrapped) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: instance_check
-- Makes the instance's row when it is the first start, and gives back the pepper's check value that the database was written with.
WITH made AS (
    INSERT INTO instance (name, pepper_check, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING pepper_check
)
SELECT pepper_check FROM made UNION ALL SELECT pepper_check FROM instance LIMIT 1;
