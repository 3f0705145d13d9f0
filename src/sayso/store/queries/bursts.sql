-- name: burst_cursor
-- How far watching for bursts has read.
SELECT log, seq FROM burst_cursor;

-- name: move_burst_cursor
-- Moves watching on, unless another process was first.
UPDATE burst_cursor SET log = $3, seq = $4 WHERE log = $1 AND seq = $2 RETURNING seq;

-- name: link_statements
-- What was chosen through links in a run of places in the log, with the personal parts and whose it is: nothing else is opened.
SELECT l.seq, e.id, e.sub, e.act, e.leaf, d.sealed, k.wrapped, s.kind
FROM log_entry l
JOIN LATERAL (SELECT * FROM entry WHERE entry.shard = l.shard AND entry.id = l.entry LIMIT 1) AS e ON true
LEFT JOIN LATERAL (SELECT sealed FROM detail WHERE detail.shard = l.shard AND detail.entry = l.entry LIMIT 1) AS d ON true
LEFT JOIN LATERAL (SELECT wrapped FROM subject_key WHERE subject_key.shard = l.shard AND subject_key.pseudonym = e.sub LIMIT 1) AS k ON true
LEFT JOIN LATERAL (SELECT kind FROM subject WHERE subject.shard = l.shard AND subject.pseudonym = e.sub LIMIT 1) AS s ON true
WHERE l.log = $1 AND l.seq >= $2 AND l.seq < $3 AND e.kind = 'choice' AND e.src = ANY($4::text[])
ORDER BY l.seq;

-- name: last_reached
-- When the last message before each moment reached a person, within a day: as its sender told us, or as the mail system reported it.
-- Of a chain only the newest fifty entries are looked at.
SELECT n.place, max(greatest(
    (SELECT s.at FROM sent s WHERE s.shard = n.shard AND s.sub = n.sub AND s.at <= n.before AND s.at > n.before - 86400000000
     ORDER BY s.id DESC LIMIT 1),
    (SELECT max(d.ts) FROM (
        SELECT (convert_from(e.leaf, 'UTF8')::jsonb ->> 'ts')::bigint AS ts
        FROM (SELECT c.kind, c.act, c.leaf FROM entry c WHERE c.shard = n.shard AND c.sub = n.sub ORDER BY c.ver DESC LIMIT 50) e
        WHERE e.kind = 'event' AND e.act = 'mail.delivered') d
     WHERE d.ts <= n.before AND d.ts > n.before - 86400000000))) AS at
FROM unnest($1::int[], $2::smallint[], $3::bytea[], $4::bigint[]) AS n(place, shard, sub, before)
GROUP BY n.place;

-- name: recent_signals
-- Opt-outs through links of some minutes, as signs; of a flood the newest.
-- every shard: a burst is about everybody
SELECT l.*, b.offered_at IS NOT NULL AS closed FROM link_opt_out l LEFT JOIN burst b ON b.id = l.burst
WHERE l.at >= $1 AND l.at <= $2 ORDER BY l.at DESC, l.entry LIMIT 5000;

-- name: undated_signals
-- Opt-outs through links whose delivery was not known when they were first looked at.
-- every shard: a burst is about everybody
SELECT l.*, false AS closed FROM link_opt_out l
WHERE l.at >= $1 AND l.at <= $2 AND l.after IS NULL AND NOT l.looked_twice ORDER BY l.at, l.entry LIMIT 500;

-- name: keep_signals
-- Keeps opt-outs through links as signs.
INSERT INTO link_opt_out (shard, entry, person, address, at, after, network, host, agent, scanner, relayed)
SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[], $9::bytea[],
                     $10::boolean[], $11::boolean[])
ON CONFLICT DO NOTHING;

-- name: look_twice
-- Keeps what a second look at signals found.
UPDATE link_opt_out l SET after = n.after, looked_twice = true
FROM unnest($1::smallint[], $2::uuid[], $3::bigint[]) AS n(shard, entry, after) WHERE l.shard = n.shard AND l.entry = n.entry;

-- name: make_burst
-- Keeps a new burst.
INSERT INTO burst (id, found_at) VALUES ($1, $2);

-- name: lock_open_burst
-- Holds a burst open while somebody joins it; nothing when it was offered.
SELECT id FROM burst WHERE id = $1 AND offered_at IS NULL FOR UPDATE;

-- name: mark_signals
-- Marks opt-outs as members of a burst.
UPDATE link_opt_out l SET burst = $1 FROM unnest($2::smallint[], $3::uuid[]) AS n(shard, entry)
WHERE l.shard = n.shard AND l.entry = n.entry AND l.burst IS NULL;

-- name: forget_signals
-- Forgets old signs that belong to no burst.
-- every shard: forgetting is by time
DELETE FROM link_opt_out WHERE at < $1 AND burst IS NULL;

-- name: bursts
-- Bursts with their numbers, newest first; or the one that is asked for.
-- every shard: a burst is about everybody
SELECT b.id, b.found_at, b.offered_at, b.offered_by, b.offer,
    min(l.at) AS first_at, max(l.at) AS last_at, count(DISTINCT l.person) AS people, count(*) AS opt_outs,
    count(DISTINCT l.network) FILTER (WHERE l.network <> '') AS networks, count(DISTINCT l.host) FILTER (WHERE l.host <> '') AS hosts,
    count(DISTINCT l.agent) AS agents, count(*) FILTER (WHERE l.scanner) AS scanners, count(*) FILTER (WHERE l.after IS NULL) AS undelivered,
    min(l.after) AS soonest, percentile_disc(0.5) WITHIN GROUP (ORDER BY l.after) AS median, max(l.after) AS latest,
    count(DISTINCT l.person) FILTER (WHERE l.asked) AS asked, count(DISTINCT l.person) FILTER (WHERE l.asked IS NOT NULL) AS settled
FROM (SELECT * FROM burst WHERE ($1::uuid IS NULL OR id < $1) AND ($2::uuid IS NULL OR id = $2) ORDER BY id DESC LIMIT $3) b
JOIN link_opt_out l ON l.burst = b.id
GROUP BY b.id, b.found_at, b.offered_at, b.offered_by, b.offer ORDER BY b.id DESC;

-- name: bursts_to_tell
-- Bursts that nobody was told of and that nobody joined since a moment, oldest first; of those whose people were all erased nothing is left.
-- every shard: a burst is about everybody
SELECT b.id FROM burst b
WHERE b.alert IS NULL AND (SELECT max(l.at) FROM link_opt_out l WHERE l.burst = b.id) < $1
ORDER BY b.found_at LIMIT 100;

-- name: burst_told
-- Notes the entry that told of a burst.
UPDATE burst SET alert = $2 WHERE id = $1;

-- name: burst_members
-- The marked opt-outs of a burst with their entries, earliest first; `$2` null for all people, else only one's.
SELECT l.person, l.address, l.after, l.scanner, e.id, e.sub, e.act, e.leaf, d.sealed, k.wrapped, NULL::bigint AS seq
FROM (SELECT * FROM link_opt_out WHERE burst = $1 AND ($2::bytea IS NULL OR person = $2) ORDER BY at, entry LIMIT $3) l
JOIN entry e ON e.shard = l.shard AND e.id = l.entry
LEFT JOIN detail d ON d.shard = l.shard AND d.entry = l.entry
LEFT JOIN subject_key k ON k.shard = e.shard AND k.pseudonym = e.sub
ORDER BY l.at, l.entry;

-- name: burst_marks
-- Which of some entries are marked, and as what.
SELECT l.entry, l.burst FROM unnest($1::smallint[], $2::uuid[]) AS n(shard, entry)
JOIN link_opt_out l ON l.shard = n.shard AND l.entry = n.entry WHERE l.burst IS NOT NULL;

-- name: offer_burst
-- Closes a burst with who offered its people a way back; nothing when somebody did before.
UPDATE burst SET offered_at = $2, offered_by = $3, offer = $4 WHERE id = $1 AND offered_at IS NULL RETURNING id;

-- name: people_to_ask
-- People of offered bursts who were not asked yet.
-- every shard: a burst is about everybody
SELECT DISTINCT l.burst, b.offered_at, l.person FROM burst b JOIN link_opt_out l ON l.burst = b.id
WHERE b.offered_at IS NOT NULL AND NOT b.settled AND l.asked IS NULL ORDER BY 1, 3 LIMIT $1;

-- name: settle_person
-- Notes that the offer of a burst is over with one person.
-- every shard: one person's opt-outs lie where their contact and their addresses do
UPDATE link_opt_out SET asked = $3 WHERE burst = $1 AND person = $2;

-- name: settle_burst
-- Notes that the offer of a burst is over with everybody.
-- every shard: a burst is about everybody
UPDATE burst b SET settled = true
WHERE b.id = $1 AND NOT EXISTS (SELECT FROM link_opt_out l WHERE l.burst = b.id AND l.asked IS NULL);

-- name: count_suspected
-- How many opt-outs are marked.
-- every shard: counts all
SELECT count(*) FROM link_opt_out WHERE burst IS NOT NULL;
