-- Opt-outs through links as signs of machines, the bursts among them, and how far watching has read.

CREATE TABLE link_opt_out (
    shard smallint NOT NULL,
    entry uuid NOT NULL,
    person bytea NOT NULL,                 -- pseudonym: of the contact where one is known, else of the address
    address bytea,                         -- pseudonym of the address that spoke
    at bigint NOT NULL,
    after bigint,                          -- since the last message reached them; null: unknown
    network bytea NOT NULL,                -- HMACs, to compare with; the words stand in the entry's sealed detail
    host bytea NOT NULL,
    agent bytea NOT NULL,
    scanner boolean NOT NULL,
    relayed boolean NOT NULL,
    looked_twice boolean NOT NULL DEFAULT false,
    burst uuid,                            -- suspected; rows without one are forgotten after minutes
    asked boolean,                         -- null: the offer is not over with them; false: there was nothing to ask
    PRIMARY KEY (shard, entry)
);
CREATE INDEX link_opt_out_recent ON link_opt_out (at);
CREATE INDEX link_opt_out_of ON link_opt_out (burst) WHERE burst IS NOT NULL;

CREATE TABLE burst (
    id uuid PRIMARY KEY,                   -- version 7
    found_at bigint NOT NULL,
    alert uuid,                            -- the entry that told of it, once nobody joined it any more
    offered_at bigint,                     -- nobody joins it any more
    offered_by text,
    offer uuid,                            -- the entry that keeps who offered, and why
    settled boolean NOT NULL DEFAULT false -- everybody was asked
);
CREATE INDEX burst_to_tell ON burst (found_at) WHERE alert IS NULL;
CREATE INDEX burst_to_ask ON burst (offered_at) WHERE offered_at IS NOT NULL AND NOT settled;

CREATE TABLE burst_cursor (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    log smallint NOT NULL,
    seq bigint NOT NULL                    -- the next place to read
);
-- A hub that is upgraded begins where its log ends: nobody is asked about what they did long ago.
INSERT INTO burst_cursor (log, seq)
SELECT log.id, (SELECT coalesce(max(seq) + 1, 0) FROM log_entry WHERE log_entry.log = log.id) FROM log ORDER BY log.id DESC LIMIT 1;
