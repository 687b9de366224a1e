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
    removed boolean NOT NULL
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
INSERT INTO SCHEMA.everthread_items VALUES ('k', '018cc251-f7e8-7000-8000-000000000001', NULL, '018cc251-f7e8-7000-8000-000000000001', NULL, '"own"', 163548332156473, '018cc252-4608-7000-8000-000000000001', '"own, edited"', 28797224129416, false);
INSERT INTO SCHEMA.everthread_items VALUES ('k', 'ff61de55-ba33-88ae-c4fd-f6ecfc6eef84', 'caller', '018cc251-fbd0-7000-8000-000000000001', NULL, '"callers"', 87707536463257, '018cc252-49f0-7000-8000-000000000001', '"caller, edited"', 219315907544498, false);
INSERT INTO SCHEMA.everthread_items VALUES ('k', 'ffe1f797-58cc-42e6-fe60-37941205d1fb', 'removed', '018cc251-ffb8-7000-8000-000000000001', NULL, NULL, 278594477459803, NULL, NULL, NULL, true);
INSERT INTO SCHEMA.everthread_items VALUES ('k', 'ff5edd18-32df-25e2-f1a7-2585c0ee55c1', 'moved', '018cc252-0788-7000-8000-000000000001', NULL, '"moved"', 40334161635901, '018cc252-51c0-7000-8000-000000000001', '"moved, edited"', 174683999389697, false);
INSERT INTO SCHEMA.everthread_items VALUES ('k', 'ff2bb80d-537b-1da3-e38b-d30361aa8556', 'secret', '018cc252-0b70-7000-8000-000000000001', NULL, NULL, NULL, '018cc252-5990-7000-8000-000000000001', '"et1.k1.5b0630c4.67446f85182a.zCodyON2GCuKX4HKtC8VvikYuiifnxLb8TCIDBg-vz1VVo7YUK5J"', 113543626430506, false);
INSERT INTO SCHEMA.everthread_items VALUES ('cleared', 'ff283bb9-deef-02e6-843a-bfb538efa1ec', 'gone', '018cc251-fbd0-7000-8000-000000000001', NULL, NULL, 279034624023477, NULL, NULL, NULL, true);
INSERT INTO SCHEMA.everthread_items VALUES ('cleared', 'ffead6ef-03d6-1ee6-0c53-3d6d450c50a1', 'ghost', '018cc251-f7e8-7000-8000-000000000001', NULL, NULL, NULL, '018cc252-6d18-7000-8000-000000000001', '"ghost"', 229688379934959, false);
INSERT INTO SCHEMA.everthread_items VALUES ('cleared', '018cc252-7100-7000-8000-000000000001', NULL, '018cc252-7100-7000-8000-000000000001', NULL, '"after"', 281459738957500, NULL, NULL, NULL, false);
INSERT INTO SCHEMA.everthread_keys VALUES ('k', '018cc252-5990-7000-8000-000000000001', NULL, NULL, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_keys VALUES ('cleared', '018cc252-6d18-7000-8000-000000000001', '018cc252-6930-7000-8000-000000000001', 273109462001377, NULL, NULL, NULL);
INSERT INTO SCHEMA.everthread_keys VALUES ('register', '018cc252-0f58-7000-8000-000000000001', NULL, NULL, '018cc252-0f58-7000-8000-000000000001', '"value"', 115491589622468);
INSERT INTO SCHEMA.everthread_meta VALUES ('identity', '13af6276aae3445e93866e0dd6c6459a');
INSERT INTO SCHEMA.everthread_meta VALUES ('version', '3');
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
CREATE INDEX everthread_items_appended ON SCHEMA.everthread_items USING btree (appended_at) WHERE (appended_at IS NOT NULL);
CREATE INDEX everthread_items_edited ON SCHEMA.everthread_items USING btree (key, edited_at) WHERE (edited_at IS NOT NULL);
CREATE INDEX everthread_items_moved ON SCHEMA.everthread_items USING btree (key, "position") WHERE ("position" <> item);
CREATE INDEX everthread_items_position ON SCHEMA.everthread_items USING brin ("position") WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX everthread_keys_deleted ON SCHEMA.everthread_keys USING btree (key) WHERE (deleted_through IS NOT NULL);
CREATE INDEX everthread_keys_touched ON SCHEMA.everthread_keys USING btree (touched, key);
