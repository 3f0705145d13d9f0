-- What was sent to whom, and the keys that mailto opt-outs carry. Both begin with the shard of the person they are about.

CREATE TABLE sent (
    shard smallint NOT NULL,
    sub bytea NOT NULL,                    -- pseudonym: of the contact where one was named, else of the address
    id uuid NOT NULL,                      -- version 7 of the moment it was sent, last byte = shard
    at bigint NOT NULL,                    -- when it was sent
    noted_at bigint NOT NULL,              -- when the hub was told
    channel text NOT NULL,
    category text NOT NULL,
    brand text NOT NULL,                   -- * where none was named
    campaign bytea,                        -- HMACs of the sender's ids, to find by; the ids themselves are sealed
    message bytea,
    sealed bytea NOT NULL,                 -- subject line and the sender's ids, under the subject's data key
    verdict uuid,                          -- the check that allowed it, or forbade it
    violation text,                        -- why it should not have been sent; null when it was allowed
    PRIMARY KEY (shard, sub, id)
);
CREATE UNIQUE INDEX sent_once ON sent (shard, sub, message) WHERE message IS NOT NULL;
CREATE INDEX sent_violation ON sent (at) WHERE violation IS NOT NULL;

CREATE TABLE mail_key (
    shard smallint NOT NULL,
    id bytea NOT NULL,                     -- shard byte and 14 bytes of an HMAC: what stands behind the + of the mailbox
    contact bytea,                         -- pseudonyms
    address bytea,
    brand text NOT NULL,
    channel text NOT NULL,
    category text NOT NULL,
    PRIMARY KEY (shard, id)
);
