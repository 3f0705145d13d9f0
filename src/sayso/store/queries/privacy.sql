-- name: open_erasure
-- Makes an erasure for a subject unless one is open already.
INSERT INTO erasure (shard, id, subject, state, accepted_at, due_at)
SELECT s.shard, $3, s.id, 'accepted', $4, $4 FROM subject s WHERE s.shard = $1 AND s.pseudonym = $2
ON CONFLICT (shard, subject) WHERE subject IS NOT NULL DO NOTHING;

-- name: open_erasure_of
-- The open erasure of a subject.
SELECT e.id, e.state, e.accepted_at, e.completed_at, e.entries, e.systems, s.pseudonym
FROM subject s JOIN erasure e ON e.shard = s.shard AND e.subject = s.id WHERE s.shard = $1 AND s.pseudonym = $2;

-- name: erasure
-- One erasure, with the pseudonym of whom it was asked for while it is open.
SELECT e.id, e.state, e.accepted_at, e.completed_at, e.entries, e.systems, s.pseudonym
FROM erasure e LEFT JOIN subject s ON s.shard = e.shard AND s.id = e.subject WHERE e.shard = $1 AND e.id = $2;

-- name: due_erasures
-- Open erasures whose turn it is to be looked at.
-- every shard: whoever asked lies in any shard
SELECT e.id, e.state, e.accepted_at, e.completed_at, e.entries, e.systems, s.pseudonym
FROM erasure e LEFT JOIN subject s ON s.shard = e.shard AND s.id = e.subject
WHERE e.state = 'accepted' AND e.due_at <= $1 ORDER BY e.due_at LIMIT $2;

-- name: note_erasure
-- Keeps further entries of an erasure.
UPDATE erasure SET entries = entries || $3::uuid[] WHERE shard = $1 AND id = $2 AND state = 'accepted';

-- name: erasure_later
-- Looks at an erasure again at a time.
UPDATE erasure SET due_at = $3 WHERE shard = $1 AND id = $2 AND state = 'accepted';

-- name: places_of_entries
-- How many of some entries have a place in a log, and the last of those places, counted over all logs as the feed counts them.
SELECT count(*) AS placed, max(l.seq + before.places) AS last
FROM log_entry l
CROSS JOIN LATERAL (
    SELECT coalesce(sum((SELECT e.seq + 1 FROM log_entry e WHERE e.log = o.id ORDER BY e.seq DESC LIMIT 1)), 0)::bigint AS places
    FROM log o WHERE o.id < l.log
) AS before
WHERE l.entry = ANY($1::uuid[]);

-- name: lock_erasure
-- Takes an open erasure for this transaction alone.
SELECT id FROM erasure WHERE shard = $1 AND id = $2 AND state = 'accepted' FOR UPDATE;

-- name: lock_by_pseudonym
-- Locks the rows of subjects by their pseudonyms, in (shard, id) order as writers do.
SELECT s.shard, s.id, s.kind, s.pseudonym, s.version, s.length, s.head, s.last_at, s.state
FROM unnest($1::smallint[], $2::bytea[]) AS k(shard, pseudonym) JOIN subject s ON s.shard = k.shard AND s.pseudonym = k.pseudonym
ORDER BY s.shard, s.id FOR UPDATE OF s;

-- name: open_work_of
-- How much work about each of some subjects no connection has acknowledged.
SELECT w.sub, count(*) AS open FROM unnest($1::smallint[], $2::bytea[]) AS k(shard, sub)
JOIN work w ON w.shard = k.shard AND w.sub = k.sub
JOIN connection c ON c.id = w.connection AND c.state <> 'gone' WHERE w.acked < w.wanted GROUP BY w.sub;

-- name: microseconds_now
-- The database's clock.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: append_leaves
-- Keeps entries that have no personal part, and puts them into the sequencer's queue.
WITH leaf AS (
    INSERT INTO entry (shard, id, sub, ver, at, kind, act, src, effect, leaf)
    SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::bytea[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
                         $10::bytea[])
)
INSERT INTO to_sequence (shard, at, id) SELECT * FROM unnest($1::smallint[], $5::bigint[], $2::uuid[]);

-- name: save_erased
-- Saves subjects under the pseudonyms they go on with; whoever gets another one loses the name that was kept.
UPDATE subject s SET pseudonym = n.pseudonym, sealed = CASE WHEN s.pseudonym = n.pseudonym THEN s.sealed ELSE '' END,
    version = n.version, length = n.length, head = n.head, last_at = n.last_at, state = n.state
FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bigint[], $8::bytea[])
    AS n(shard, id, pseudonym, version, length, head, last_at, state)
WHERE s.shard = n.shard AND s.id = n.id;

-- name: make_remains
-- Makes subjects of which nothing is known but that they were erased.
INSERT INTO subject (shard, id, kind, pseudonym, sealed)
SELECT shard, id, kind, pseudonym, '' FROM unnest($1::smallint[], $2::bytea[], $3::text[], $4::bytea[]) AS n(shard, id, kind, pseudonym)
ORDER BY shard, id ON CONFLICT DO NOTHING;

-- name: restored_subjects
-- Which of the erased subjects are not as erasing left them: under another pseudonym, in a chain that did not begin after that, or missing.
SELECT k.ord, s.pseudonym
FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::bigint[]) WITH ORDINALITY AS k(shard, id, pseudonym, at, ord)
LEFT JOIN subject s ON s.shard = k.shard AND s.id = k.id
WHERE s.id IS NULL OR (s.pseudonym <> k.pseudonym AND NOT EXISTS (
    SELECT FROM entry e WHERE e.shard = s.shard AND e.sub = s.pseudonym AND e.ver = 1 AND e.kind = 'kept' AND e.at >= k.at));

-- name: destroy_keys
-- Destroys the data keys of erased subjects: nothing that lies under them can be read again.
DELETE FROM subject_key k USING unnest($1::smallint[], $2::bytea[]) AS n(shard, sub) WHERE k.shard = n.shard AND k.pseudonym = n.sub;

-- name: destroy_details
-- Destroys the personal parts of all entries of erased subjects.
DELETE FROM detail d USING entry e, unnest($1::smallint[], $2::bytea[]) AS n(shard, sub)
WHERE e.shard = n.shard AND e.sub = n.sub AND d.shard = e.shard AND d.entry = e.id;

-- name: destroy_event_names
-- Clears what tells the names of custom events of erased subjects; $3 are the names that everybody's events have.
UPDATE entry e SET act = 'custom' FROM unnest($1::smallint[], $2::bytea[]) AS n(shard, sub)
WHERE e.shard = n.shard AND e.sub = n.sub AND e.kind = 'event' AND e.act <> ALL($3::text[]);

-- name: destroy_work
-- Forgets what connections were told of erased subjects; the acknowledgements stay in the ledger.
DELETE FROM work w USING unnest($1::smallint[], $2::bytea[]) AS n(shard, sub) WHERE w.shard = n.shard AND w.sub = n.sub;

-- name: destroy_attempts
-- Forgets requests that were about erased subjects alone.
DELETE FROM attempt a USING unnest($1::smallint[], $2::bytea[]) AS n(shard, sub) WHERE a.shard = n.shard AND a.sub = n.sub;

-- name: destroy_sent
-- Empties what was sent to erased subjects; that something was sent, and whether it was allowed, still counts.
UPDATE sent s SET sealed = '', campaign = NULL, message = NULL FROM unnest($1::smallint[], $2::bytea[]) AS n(shard, sub)
WHERE s.shard = n.shard AND s.sub = n.sub;

-- name: destroy_mail_keys
-- Forgets the keys of mailto opt-outs of erased subjects.
DELETE FROM mail_key m USING unnest($1::smallint[], $2::bytea[]) AS n(shard, sub)
WHERE m.shard = ANY($1::smallint[]) AND (m.contact = n.sub OR m.address = n.sub);

-- name: destroy_letters
-- Forgets letters to erased subjects, sent or not.
DELETE FROM letter l USING unnest($1::smallint[], $2::bytea[]) AS n(shard, sub) WHERE l.shard = n.shard AND l.sub = n.sub;

-- name: destroy_pending
-- Forgets sign-ups of erased subjects that wait for a click.
DELETE FROM pending p USING unnest($1::smallint[], $2::bytea[]) AS n(shard, sub)
WHERE p.shard = ANY($1::smallint[]) AND (p.sub = n.sub OR p.contact = n.sub);

-- name: destroy_signs
-- Forgets signs of machines in opt-outs of erased subjects.
DELETE FROM link_opt_out o USING unnest($1::smallint[], $2::bytea[]) AS n(shard, sub) WHERE o.shard = ANY($1::smallint[]) AND o.person = n.sub;

-- name: destroy_reservations
-- Forgets what was promised to senders about erased subjects.
DELETE FROM reservation r USING unnest($1::smallint[], $2::bytea[]) AS n(shard, sub) WHERE r.shard = n.shard AND r.who = n.sub;

-- name: verdicts_of_erased
-- Verdicts about erased subjects that name a campaign, a message or a sender.
SELECT v.shard, v.day, v.id, v.body FROM unnest($1::smallint[], $2::bytea[]) AS n(shard, sub)
JOIN verdict v ON v.shard = n.shard AND v.sub = n.sub;

-- name: blank_verdicts
-- Keeps verdicts without the words of whoever asked.
UPDATE verdict v SET body = n.body FROM unnest($1::smallint[], $2::date[], $3::uuid[], $4::bytea[]) AS n(shard, day, id, body)
WHERE v.shard = n.shard AND v.day = n.day AND v.id = n.id;

-- name: end_erasure
-- Notes that an erasure is completed, and forgets whom it was about.
UPDATE erasure SET state = 'completed', completed_at = $3, subject = NULL, entries = '{}', systems = $4 WHERE shard = $1 AND id = $2;

-- name: unswept_erasures
-- Completed erasures since which the files were not cleared.
-- every shard: the files hold all shards
SELECT shard, id FROM erasure WHERE state = 'completed' AND NOT swept;

-- name: mark_swept
-- Notes that the files were cleared since these erasures.
UPDATE erasure e SET swept = true FROM unnest($1::smallint[], $2::uuid[]) AS n(shard, id) WHERE e.shard = n.shard AND e.id = n.id;
