CREATE SCHEMA SCHEMA;
CREATE TABLE SCHEMA.everthread_cursors (
    writer text NOT NULL COLLATE pg_catalog."C",
    lsn bigint NOT NULL
);
CREATE SEQUENCE SCHEMA.everthread_hint_count
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE SCHEMA.everthread_hints (
    writer text NOT NULL COLLATE pg_catalog."C",
    count bigint NOT NULL
);
CREATE TABLE SCHEMA.everthread_items (
    key text NOT NULL COLLATE pg_catalog."C",
    item uuid NOT NULL,
    id text,
    "position" uuid NOT NULL,
    appended_at uuid,
    appended text,
    digest bigint,
    edited_at uuid,
    edited text,
    edited_digest bigint,
    removed boolean NOT NULL,
    edited_of uuid,
    removed_of uuid,
    removed_digest bigint
);
CREATE TABLE SCHEMA.everthread_keys (
    key text NOT NULL COLLATE pg_catalog."C",
    touched uuid NOT NULL,
    deleted_through uuid,
    deleted_digest bigint,
    register_stamp uuid,
    register_value text,
    register_digest bigint
);
CREATE TABLE SCHEMA.everthread_leases (
    name text NOT NULL COLLATE pg_catalog."C",
    holder text NOT NULL,
    token bigint NOT NULL,
    expires_ms bigint NOT NULL,
    note text
);
CREATE TABLE SCHEMA.everthread_meta (
    name text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL
);
INSERT INTO SCHEMA.everthread_items VALUES ('k', '018cc251-f7e8-7000-8000-000000000001', NULL, '018cc251-f7e8-7000-8000-000000000001', NULL, '"own"', 163548332156473, '018cc252-4608-7000-8000-000000000001', '"own, edited"', 61373117937241, false, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_items VALUES ('k', 'ff61de55-ba33-88ae-c4fd-f6ecfc6eef84', 'caller', '018cc251-fbd0-7000-8000-000000000001', NULL, '"callers"', 87707536463257, NULL, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_items VALUES ('k', 'ffe1f797-58cc-42e6-fe60-37941205d1fb', 'removed', '018cc251-ffb8-7000-8000-000000000001', NULL, NULL, NULL, NULL, NULL, NULL, true, NULL, NULL, 170073220784737);
INSERT INTO SCHEMA.everthread_items VALUES ('k', '018cc252-03a0-7000-8000-000000000001', NULL, '018cc252-03a0-7000-8000-000000000001', NULL, '"spoiled"', 133467915721403, NULL, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_items VALUES ('cleared', '018cc252-7100-7000-8000-000000000001', NULL, '018cc252-7100-7000-8000-000000000001', NULL, '"after"', 281459738957500, NULL, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_items VALUES ('ключ 😀', 'ff1184d1-f608-158e-ea09-d29756557589', 'é😀', '018cc252-1340-7000-8000-000000000001', NULL, '"plain"', 161249767626914, NULL, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_items VALUES ('ключ 😀', 'ff012060-92fc-3b26-eaa7-6942d2a049c4', 'ш😀', '018cc252-1728-7000-8000-000000000001', NULL, 'et1.k1.5b0630c4.8fe373e35a87.7AXpPcfVuz4QHOhvdY07ilZMSsKyhdi7Sqqb8QYm8NHXdMzxFSJ7', 158207064627847, '018cc252-5990-7000-8000-000000000001', 'et1.k1.5b0630c4.ea6e15ac0833.BydfgwrZotTLc8E5BmeWrtK9KG-1Vv9bbVtChU-A-y4FOpzAUOJbBia6mhO76EY', 260300205578682, false, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_items VALUES ('k', '018cc252-1b10-7000-8000-000000000001', NULL, '018cc252-1b10-7000-8000-000000000001', NULL, 'et1.k1.5b0630c4.6e845681184a.ZNxRmVVT6iaiuaP8Xet0-qMZZdstXfswKdvRxej2TddDFXXcwANzmMTopQ', 121514666039370, NULL, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_items VALUES ('k', 'ff2bb80d-537b-1da3-e38b-d30361aa8556', 'secret', '018cc252-0b70-7000-8000-000000000001', NULL, NULL, NULL, '018cc252-5d78-7000-8000-000000000001', 'et1.k1.5b0630c4.dd2d03dae983.aYQdZ7QWX1VtXUVnJJrGTSekYIHubvIPSc-rcAXWGpEoHvXdaGekwyrZ4A', 15274450826433, false, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_keys VALUES ('cleared', '018cc252-7100-7000-8000-000000000001', '018cc252-6930-7000-8000-000000000001', 273109462001377, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_keys VALUES ('register', '018cc252-0f58-7000-8000-000000000001', NULL, NULL, '018cc252-0f58-7000-8000-000000000001', '"value"', 115491589622468);
INSERT INTO SCHEMA.everthread_keys VALUES ('ключ 😀', '018cc252-5990-7000-8000-000000000001', NULL, NULL, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_keys VALUES ('k', '018cc252-5d78-7000-8000-000000000001', NULL, NULL, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_keys VALUES ('vault', '018cc252-1ef8-7000-8000-000000000001', NULL, NULL, '018cc252-1ef8-7000-8000-000000000001', 'et1.k1.5b0630c4.c1e4212fbbac.KP0YRtVfKN5mVcfScHo1zSrxLIKlZIfekyo4QVcl1QxVQhPwbnk75uE2X9xYnmYg', 213185553480620);
INSERT INTO SCHEMA.everthread_meta VALUES ('identity', '114d41c26a904f419179449ae8d0966f');
INSERT INTO SCHEMA.everthread_meta VALUES ('version', '5');
SELECT pg_catalog.setval('SCHEMA.everthread_hint_count', 1, false);
ALTER TABLE ONLY SCHEMA.everthread_cursors
    ADD CONSTRAINT everthread_cursors_pkey PRIMARY KEY (writer);
ALTER TABLE ONLY SCHEMA.everthread_hints
    ADD CONSTRAINT everthread_hints_pkey PRIMARY KEY (writer);
ALTER TABLE ONLY SCHEMA.everthread_items
    ADD CONSTRAINT everthread_items_pkey PRIMARY KEY (key, item);
ALTER TABLE ONLY SCHEMA.everthread_keys
    ADD CONSTRAINT everthread_keys_pkey PRIMARY KEY (key);
ALTER TABLE ONLY SCHEMA.everthread_leases
    ADD CONSTRAINT everthread_leases_pkey PRIMARY KEY (name);
ALTER TABLE ONLY SCHEMA.everthread_meta
    ADD CONSTRAINT everthread_meta_pkey PRIMARY KEY (name);
CREATE INDEX everthread_items_apart ON SCHEMA.everthread_items USING btree (key, LEAST(appended_at, edited_of, removed_of)) WHERE ((appended_at IS NOT NULL) OR (edited_of IS NOT NULL) OR (removed_of IS NOT NULL));
CREATE INDEX everthread_items_appended ON SCHEMA.everthread_items USING btree (appended_at) WHERE (appended_at IS NOT NULL);
CREATE INDEX everthread_items_edited ON SCHEMA.everthread_items USING btree (key, edited_at) WHERE (edited_at IS NOT NULL);
CREATE INDEX everthread_items_edited_of ON SCHEMA.everthread_items USING btree (edited_of) WHERE (edited_of IS NOT NULL);
CREATE INDEX everthread_items_moved ON SCHEMA.everthread_items USING btree (key, "position") WHERE ("position" <> item);
CREATE INDEX everthread_items_position ON SCHEMA.everthread_items USING brin ("position") WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX everthread_items_removed_of ON SCHEMA.everthread_items USING btree (removed_of) WHERE (removed_of IS NOT NULL);
CREATE INDEX everthread_keys_deleted ON SCHEMA.everthread_keys USING btree (key) WHERE (deleted_through IS NOT NULL);
CREATE INDEX everthread_keys_group ON SCHEMA.everthread_keys USING btree ((((split_part(key, ':'::text, 1) || ':'::text) || split_part(key, ':'::text, 2))), touched, key);
CREATE INDEX everthread_keys_touched ON SCHEMA.everthread_keys USING btree (touched, key);
